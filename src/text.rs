//! Text that others chose, made fit to be shown and sent: control and direction characters made visible, length cut.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does not show itself, or changes how its neighbours show: controls, line and paragraph separators,
/// the marks that turn the direction of writing, and what is blank. Spaces show as spaces.
///
/// Blank are `Default_Ignorable_Code_Point` of
/// <https://www.unicode.org/Public/17.0.0/ucd/DerivedCoreProperties.txt>, the annotation marks U+FFF9 to U+FFFB, and
/// BRAILLE PATTERN BLANK.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Each character of a text, and whether it deceives there. Emoji are made with a joiner and with variation selectors:
/// behind an emoji these deceive nobody.
pub fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut may_vary, mut may_join) = (false, false);
    text.chars().map(move |character| {
        let is_variation = matches!(character, '\u{fe0e}' | '\u{fe0f}') && may_vary;
        let is_joiner = character == '\u{200d}' && may_join;
        let is_emoji = is_emoji(character);
        may_vary = is_emoji;
        may_join = is_emoji || is_variation;
        let is_part_of_emoji = is_variation || is_joiner;
        (character, is_deceptive(character) && !is_part_of_emoji)
    })
}

/// The blocks that emoji are in.
fn is_emoji(character: char) -> bool {
    matches!(character, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{27ff}'
        | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a text is printable ASCII, as nearly every text is: nothing in it deceives. As fast as memory.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    // Without an early end the compiler looks at many bytes at once.
    text.bytes().fold(true, |is_plain, byte| {
        is_plain & matches!(byte, b' '..=b'~')
    })
}

/// The text on one line, with deceptive characters written as Rust writes them (`\n`, `\u{202e}`).
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (character, deceives) in characters(text) {
        if deceives {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The text, or its beginning and `…`, in at most `most` UTF-16 code units: no service counts more for a character.
#[must_use]
pub fn truncate(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || utf16_len(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.len_utf16();
        if used > most {
            break;
        }
        out.push(character);
    }
    if most > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// The text's length in UTF-16 code units.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Longest value that [`plain_problem`] quotes, in UTF-16 units.
const QUOTED: usize = 80;

/// The message of a parser that serde made, in the words of its format, in which an object is called `object`.
#[must_use]
pub fn plain_problem(message: &str, object: &str) -> String {
    let (message, place) = match message.rsplit_once(" at line ") {
        Some((message, place)) => (message, format!(" at line {place}")),
        None => (message, String::new()),
    };
    let wrong = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "));
    let plain =
        if let Some((found, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
            let found = match found.split_once(' ') {
                Some(("string", value)) => format!("the string {}", truncate(value, QUOTED)),
                Some(("integer" | "boolean", value)) => value.trim_matches('`').to_owned(),
                Some(("floating", value)) => value
                    .trim_start_matches("point ")
                    .trim_matches('`')
                    .to_owned(),
                _ if found == "map" => object.to_owned(),
                _ if found == "sequence" => "a list".to_owned(),
                _ => found.to_owned(),
            };
            let expected = match expected {
                "a sequence" => "a list",
                "a map" => object,
                "a TOML datetime" => "a date without quotes",
                other => other,
            };
            format!("is {found}, and must be {expected}")
        } else if let Some(place) = message.strip_prefix("EOF while parsing ") {
            match place {
                "a value" => "it is cut off".to_owned(),
                place => format!("it is cut off in {place}"),
            }
        } else if let Some(name) = message.strip_prefix("missing field ") {
            format!("{name} is missing")
        } else if let Some(name) = message.strip_prefix("duplicate field ") {
            format!("{name} stands there twice")
        } else {
            message.to_owned()
        };
    plain + &place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_deceives_is_made_visible() {
        assert_eq!(
            escape("a\nb\u{1b}[31m\u{202e}\u{9b}x"),
            r"a\nb\u{1b}[31m\u{202e}\u{9b}x"
        );
        for plain in ["payments-db 👩‍💻 é", "❤️‍🔥 👩🏽‍🚀 ☎︎ ©️", "日本　語", "a\u{a0}b"]
        {
            assert_eq!(escape(plain), plain);
        }
        for (blank, shown) in [
            ("\u{3164}", r"\u{3164}"),
            ("web\u{115f}\u{1160}", r"web\u{115f}\u{1160}"),
            ("\u{ffa0}\u{2800}", r"\u{ffa0}\u{2800}"),
            ("web\u{fe0f}", r"web\u{fe0f}"),
            ("web\u{200d}", r"web\u{200d}"),
            ("👩\u{200d}\u{200d}", "👩\u{200d}\\u{200d}"),
            ("👩\u{fe0f}\u{fe0f}", "👩\u{fe0f}\\u{fe0f}"),
            ("\u{17b4}\u{34f}\u{180b}", r"\u{17b4}\u{34f}\u{180b}"),
            ("\u{e0041}\u{e0100}", r"\u{e0041}\u{e0100}"),
        ] {
            assert_eq!(escape(blank), shown);
        }
    }

    proptest! {
        #[test]
        fn plain_text_deceives_nobody(text in "(\\PC|[\u{200d}\u{fe0f}\u{fe0e}👩❤\u{3164}\u{202e}\n]){0,12}") {
            let escaped = escape(&text);
            prop_assert!(characters(&escaped).all(|(_, deceives)| !deceives));
        }

        #[test]
        fn a_cut_text_fits_and_is_a_beginning(text in any::<String>(), most in 0_usize..40) {
            let short = truncate(&text, most);
            prop_assert!(utf16_len(&short) <= most);
            if short != text {
                prop_assert!(text.starts_with(short.trim_end_matches('…')));
                prop_assert!(most == 0 || short.ends_with('…'));
            }
        }
    }
}
