//! A page of the documentation, as far as the tests look at it.

use std::collections::HashMap;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

#[derive(Debug, Default)]
pub(super) struct Page {
    /// Relative to the repository.
    pub(super) path: String,
    pub(super) headings: Vec<Heading>,
    pub(super) links: Vec<Link>,
    /// Code within sentences.
    pub(super) spans: Vec<Span>,
    pub(super) blocks: Vec<Block>,
    pub(super) tables: Vec<Table>,
}

#[derive(Debug)]
pub(super) struct Heading {
    pub(super) text: String,
    /// What a link to it ends in, as GitHub makes it.
    pub(super) anchor: String,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) target: String,
    pub(super) line: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) line: usize,
    /// The text of the heading above.
    pub(super) heading: String,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) heading: String,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) heading: String,
    /// The first row is the header.
    pub(super) rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) spans: Vec<String>,
}

impl Page {
    pub(super) fn read(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut anchors = HashMap::<String, usize>::new();
        let mut in_heading: Option<(HeadingLevel, String)> = None;
        let mut in_block: Option<Block> = None;
        let mut heading = String::new();
        let options = Options::ENABLE_TABLES | Options::ENABLE_GFM;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            let line = text[..range.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    in_heading = Some((level, String::new()));
                }
                Event::End(TagEnd::Heading(_)) => {
                    let (_, text) = in_heading.take().unwrap();
                    let slug = slug(&text);
                    let seen = anchors.entry(slug.clone()).or_default();
                    let anchor = match *seen {
                        0 => slug,
                        again => format!("{slug}-{again}"),
                    };
                    *seen += 1;
                    heading.clone_from(&text);
                    page.headings.push(Heading { text, anchor });
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link {
                        target: dest_url.into_string(),
                        line,
                    });
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    in_block = Some(Block {
                        language,
                        text: String::new(),
                        line,
                        heading: heading.clone(),
                    });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(in_block.take()),
                Event::Start(Tag::Table(_)) => page.tables.push(Table {
                    heading: heading.clone(),
                    rows: Vec::new(),
                }),
                Event::Start(Tag::TableHead | Tag::TableRow) => {
                    page.tables.last_mut().unwrap().rows.push(Vec::new());
                }
                Event::Start(Tag::TableCell) => page.row().push(Cell::default()),
                Event::Code(code) => {
                    let code = code.into_string();
                    page.add_text(&code, &mut in_heading);
                    if page.is_in_cell(text, range.start) {
                        page.row().last_mut().unwrap().spans.push(code.clone());
                    }
                    page.spans.push(Span {
                        text: code,
                        line,
                        heading: heading.clone(),
                    });
                }
                Event::Text(words) => match &mut in_block {
                    Some(block) => block.text += &words,
                    None => page.add_text(&words, &mut in_heading),
                },
                Event::SoftBreak => page.add_text(" ", &mut in_heading),
                _ => {}
            }
        }
        page
    }

    fn row(&mut self) -> &mut Vec<Cell> {
        self.tables.last_mut().unwrap().rows.last_mut().unwrap()
    }

    /// Whether a place of the text is in a row of a table: such a line begins with a bar.
    fn is_in_cell(&self, text: &str, offset: usize) -> bool {
        let line = text[..offset].rfind('\n').map_or(0, |end| end + 1);
        text[line..].starts_with('|') && !self.tables.is_empty()
    }

    fn add_text(&mut self, words: &str, in_heading: &mut Option<(HeadingLevel, String)>) {
        if let Some((_, text)) = in_heading {
            *text += words;
        } else if let Some(cell) = self
            .tables
            .last_mut()
            .and_then(|table| table.rows.last_mut())
            .and_then(|row| row.last_mut())
        {
            cell.text += words;
        }
    }

    /// The tables below a heading whose header begins with this word.
    pub(super) fn tables_of<'a>(
        &'a self,
        heading: &'a str,
        first: &'a str,
    ) -> impl Iterator<Item = &'a Table> {
        self.tables
            .iter()
            .filter(move |table| table.heading == heading && table.is_of(first))
    }

    /// The blocks of a language.
    pub(super) fn blocks_of<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks
            .iter()
            .filter(move |block| block.language == language)
    }
}

impl Table {
    pub(super) fn is_of(&self, first: &str) -> bool {
        self.rows[0][0].text == first
    }

    /// The rows below the header.
    pub(super) fn body(&self) -> &[Vec<Cell>] {
        &self.rows[1..]
    }

    /// Code in the first column.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.body().iter().flat_map(|row| &row[0].spans)
    }
}

/// The anchor of a heading as GitHub makes it: lower case, without punctuation, with hyphens for spaces.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|character| character.is_alphanumeric() || "-_ ".contains(*character))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

#[test]
fn a_page_is_read_with_its_headings_tables_and_code() {
    let text = "# A `b`, c\n\n[x](y.md#z) `code`\n\n| key | is |\n|---|---|\n| `k` | one `v` |\n\n## A b c\n\n```sh\nls\n```\n";
    let page = Page::read("x.md", text);
    let anchors: Vec<_> = page.headings.iter().map(|one| &one.anchor).collect();
    assert_eq!(anchors, ["a-b-c", "a-b-c-1"]);
    assert_eq!(page.links[0].target, "y.md#z");
    assert_eq!(page.links[0].line, 3);
    let table = page.tables_of("A b, c", "key").next().unwrap();
    assert_eq!(table.names().collect::<Vec<_>>(), ["k"]);
    assert_eq!(table.body()[0][1].text, "one v");
    assert_eq!(table.body()[0][1].spans, ["v"]);
    assert_eq!(page.blocks_of("sh").next().unwrap().text, "ls\n");
    assert_eq!(page.spans.len(), 4);
}
