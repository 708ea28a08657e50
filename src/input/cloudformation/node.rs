//! JSON and YAML as a tree in which everything knows where it stands, short tags written out.
//!
//! CloudFormation takes every scalar for a text, so none is told from another here.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

/// Deeper than any template; what walks a tree calls itself at every level.
const DEEPEST: usize = 100;
/// More than any template holds: 1 MB is the largest. What aliases repeat counts each time.
const MOST_NODES: usize = 300_000;

/// From 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) value: Node,
}

/// A text that is no tree.
#[derive(Debug, thiserror::Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub(super) struct SyntaxError {
    pub(super) at: At,
    pub(super) problem: String,
}

impl SyntaxError {
    fn new(at: At, problem: impl Into<String>) -> Self {
        Self {
            at,
            problem: problem.into(),
        }
    }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        let marker = error.marker();
        let at = At {
            line: marker.line(),
            column: marker.col() + 1,
        };
        let text = error.to_string();
        // Line and column are told by themselves.
        let problem = text.split(" at char ").next().unwrap_or(&text);
        Self::new(at, problem)
    }
}

impl Node {
    /// Reads the one document of a text.
    ///
    /// # Errors
    /// Where it is no JSON and no YAML, has several documents, or is deeper or larger than a template can be.
    pub(super) fn read(text: &str) -> Result<Self, SyntaxError> {
        let text = with_whole_characters(text);
        let mut tree = Tree::default();
        for event in Parser::new_from_str(&text) {
            let (event, span) = event?;
            tree.take(event, span)?;
        }
        let nothing = || SyntaxError::new(At { line: 1, column: 1 }, "there is nothing in it");
        tree.root.ok_or_else(nothing)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Map(members) => members,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let member = self.members().iter().find(|member| member.key == key)?;
        Some(&member.value)
    }

    /// The only member of a map.
    pub(super) fn only(&self) -> Option<&Member> {
        match self.members() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether a test holds for it, or for anything in it.
    pub(super) fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        test(self)
            || match &self.kind {
                Kind::Null | Kind::Text(_) => false,
                Kind::List(items) => items.iter().any(|item| item.any(test)),
                Kind::Map(members) => members.iter().any(|member| member.value.any(test)),
            }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Null | Kind::Text(_) => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(members) => members.iter().map(|member| member.value.size()).sum(),
        }
    }
}

/// JSON with characters in place of pairs of escapes (`\ud83d\ude00`), which YAML does not know.
fn with_whole_characters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let pair = behind.get(..11).and_then(|pair| {
            let (high, low) = pair.strip_prefix('u')?.split_once("\\u")?;
            let unit = |text| u16::from_str_radix(text, 16).ok();
            let [high, low] = [unit(high)?, unit(low)?];
            char::decode_utf16([high, low])
                .next()?
                .ok()
                .filter(|whole| whole.len_utf16() == 2)
        });
        match (pair, behind.get(11..)) {
            (Some(whole), Some(behind)) => {
                out.push(whole);
                rest = behind;
            }
            _ => {
                // What is escaped does not begin an escape.
                let mut characters = behind.chars();
                out.push('\\');
                out.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    out + rest
}

/// A list or a map that is not at its end.
struct Open {
    at: At,
    tag: Option<String>,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<Member>, Option<(String, At)>),
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    size: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let at = At {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = if is_null {
                    Kind::Null
                } else {
                    Kind::Text(text.into_owned())
                };
                self.place(Node { at, kind }, name(tag.as_deref()), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(at, tag.as_deref(), anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(at, tag.as_deref(), anchor, Content::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let kind = match open.content {
                    Content::List(items) => Kind::List(items),
                    Content::Map(members, _) => Kind::Map(members),
                };
                self.place(Node { at: open.at, kind }, open.tag, open.anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = node.clone();
                    self.size += node.size();
                    self.place(node, None, 0)
                }
                None => Err(SyntaxError::new(
                    at,
                    "an alias stands inside its own anchor",
                )),
            },
            Event::DocumentStart(..) if self.root.is_some() => Err(SyntaxError::new(
                at,
                "a second document begins: a template is one",
            )),
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        at: At,
        tag: Option<&Tag>,
        anchor: usize,
        content: Content,
    ) -> Result<(), SyntaxError> {
        if self.open.len() >= DEEPEST {
            return Err(SyntaxError::new(
                at,
                format!("it is nested deeper than {DEEPEST} levels"),
            ));
        }
        self.open.push(Open {
            at,
            tag: name(tag),
            anchor,
            content,
        });
        Ok(())
    }

    /// Puts a node that is whole where it belongs.
    fn place(&mut self, node: Node, tag: Option<String>, anchor: usize) -> Result<(), SyntaxError> {
        let at = node.at;
        self.size += 1;
        if self.size > MOST_NODES {
            return Err(SyntaxError::new(
                at,
                "it has more values than a template can have",
            ));
        }
        let node = match tag {
            Some(tag) => tagged(node, tag),
            None => node,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(members, key)) => match key.take() {
                Some((key, at)) => members.push(Member {
                    key,
                    at,
                    value: node,
                }),
                None => {
                    let Kind::Text(text) = node.kind else {
                        return Err(SyntaxError::new(at, "a key is no text"));
                    };
                    if text == "<<" {
                        return Err(SyntaxError::new(
                            at,
                            "merge keys (<<) are not read: write the members out",
                        ));
                    }
                    if members.iter().any(|member| member.key == text) {
                        return Err(SyntaxError::new(
                            at,
                            format!("the key {text:?} stands there twice"),
                        ));
                    }
                    *key = Some((text, at));
                }
            },
        }
        Ok(())
    }
}

/// The name of a tag of CloudFormation: `GetAtt` of `!GetAtt`.
fn name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| tag.is_custom())?;
    let name = tag.original();
    Some(name.trim_start_matches('!').to_owned()).filter(|name| !name.is_empty())
}

/// A function in short, written out.
fn tagged(node: Node, tag: String) -> Node {
    let at = node.at;
    let key = match tag.as_str() {
        "Ref" | "Condition" => tag,
        _ => format!("Fn::{tag}"),
    };
    Node {
        at,
        kind: Kind::Map(vec![Member {
            key,
            at,
            value: node,
        }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.kind {
            Kind::Null => "null".to_owned(),
            Kind::Text(text) => format!("{text:?}"),
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(shape).collect();
                format!("[{}]", items.join(","))
            }
            Kind::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|member| {
                        format!("{}@{}:{}", member.key, member.at.line, shape(&member.value))
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    fn read(text: &str) -> String {
        match Node::read(text) {
            Ok(node) => shape(&node),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn short_tags_are_written_out_in_json_and_yaml_alike() {
        let yaml = "a: !Ref B\nb: !GetAtt C.GroupId\nc: !If [x, 1, !Ref 'AWS::NoValue']\nd: ~\ne: '~'\nf: !Sub\n  - '${A}'\n  - {A: 1}\n";
        insta::assert_snapshot!(read(yaml), @r#"{a@1:{Ref@1:"B"},b@2:{Fn::GetAtt@2:"C.GroupId"},c@3:{Fn::If@3:["x","1",{Ref@3:"AWS::NoValue"}]},d@4:null,e@5:"~",f@6:{Fn::Sub@7:["${A}",{A@8:"1"}]}}"#);
        let json = "{\n  \"a\": {\"Ref\": \"B\"},\n  \"b\": [80, true, null, \"null\", \"\\ud83d\\ude00\\\\ud83d\\n\"]\n}";
        insta::assert_snapshot!(read(json), @r#"{a@2:{Ref@2:"B"},b@3:["80","true",null,"null","😀\\ud83d\n"]}"#);
    }

    #[test]
    fn what_is_no_template_is_told_with_its_line() {
        let deep = "[".repeat(200);
        let texts = [
            "",
            "a: [",
            "a: 1\na: 2",
            "a: 1\n---\nb: 1",
            "? [a]\n: b",
            "a: *b",
            "b: &b\n  <<: {c: 1}",
            &deep,
        ];
        let told: Vec<_> = texts.iter().map(|text| read(text)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        line 1, column 1: there is nothing in it
        line 1, column 4: unclosed bracket '['
        line 2, column 1: the key "a" stands there twice
        line 2, column 1: a second document begins: a template is one
        line 1, column 3: a key is no text
        line 1, column 4: while parsing node, found unknown anchor
        line 2, column 3: merge keys (<<) are not read: write the members out
        line 1, column 200: unclosed bracket '['
        "#);
        let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, number| {
            let before = number - 1;
            format!("{text}a{number}: &a{number} [*a{before}, *a{before}]\n")
        });
        insta::assert_snapshot!(read(&bomb), @"line 16, column 11: it has more values than a template can have");
    }
}
