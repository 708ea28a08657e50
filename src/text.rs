//! Text that others chose, made fit to be shown and sent: control and direction characters made visible, length cut.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A character that does not show itself, or that changes how its neighbours show: controls, line and paragraph
/// separators, zero-width characters, and the marks that turn the direction of writing. Zero-width joiners (U+200D)
/// stay: emoji are made with them.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, with deceptive characters written as Rust writes them (`\n`, `\u{202e}`).
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_deceptive(character) {
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
        assert_eq!(escape("payments-db 👩‍💻 é"), "payments-db 👩‍💻 é");
    }

    proptest! {
        #[test]
        fn plain_text_deceives_nobody(text in any::<String>()) {
            prop_assert!(!escape(&text).contains(is_deceptive));
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
