//! Links lead somewhere, and files that sentences name are there.

use std::path::{Component, Path, PathBuf};

use super::page::Page;
use super::{pages, root};

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                assert!(normal.pop(), "{} leaves the repository", path.display());
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// What is wrong with the address of a public page: it must be HTTPS, with a host's name.
fn fault_of_address(address: &str) -> Option<&'static str> {
    let Some(rest) = address.strip_prefix("https://") else {
        return Some("not https");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let labels: Vec<_> = host.split('.').collect();
    let is_name = labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
        && labels.last().is_some_and(|last| {
            last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_lowercase())
        });
    (!is_name).then_some("no host's name")
}

fn fault_of_link(page: &Page, target: &str, pages: &[Page]) -> Option<String> {
    if target.contains(':') {
        return fault_of_address(target).map(str::to_owned);
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let linked = if path.is_empty() {
        PathBuf::from(&page.path)
    } else {
        normal(
            &Path::new(&page.path)
                .parent()
                .unwrap_or(Path::new(""))
                .join(path),
        )
    };
    if !root().join(&linked).exists() {
        return Some(format!("{} is not there", linked.display()));
    }
    if anchor.is_empty() {
        return None;
    }
    let linked = pages.iter().find(|page| Path::new(&page.path) == linked);
    let has_anchor = linked.is_some_and(|page| {
        page.headings
            .iter()
            .any(|heading| heading.anchor == *anchor)
    });
    (!has_anchor).then(|| "no heading has this anchor".to_owned())
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_or_to_a_public_page() {
    let pages = pages();
    let mut faults = Vec::new();
    for page in &pages {
        for link in &page.links {
            if let Some(fault) = fault_of_link(page, &link.target, &pages) {
                faults.push(format!(
                    "{}:{}: {}: {fault}",
                    page.path, link.line, link.target
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_of_docs_is_linked_from_the_readme() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.path == "README.md").unwrap();
    let unlinked: Vec<_> = pages
        .iter()
        .filter(|page| page.path.starts_with("docs/"))
        .filter(|page| readme.links.iter().all(|link| link.target != page.path))
        .map(|page| &page.path)
        .collect();
    assert!(unlinked.is_empty(), "{unlinked:?}");
}

/// Sentences name files by their paths in the repository.
#[test]
fn every_file_that_a_sentence_names_is_there() {
    const FOLDERS: [&str; 9] = [
        "src/", "tests/", "docs/", "infra/", "events/", "benches/", "fuzz/", ".ci/", ".github/",
    ];
    let mut faults = Vec::new();
    let mut checked = 0;
    for page in &pages() {
        // What was true of a release stays in its notes.
        if page.path == "CHANGELOG.md" {
            continue;
        }
        for span in &page.spans {
            let named = span.text.split_whitespace().next().unwrap_or_default();
            let is_path = FOLDERS.iter().any(|folder| named.starts_with(folder));
            let is_pattern = named.contains(['*', '…', '{', '<', '$']);
            if !is_path || is_pattern {
                continue;
            }
            checked += 1;
            if !root().join(named).exists() {
                faults.push(format!("{}:{}: {named}", page.path, span.line));
            }
        }
    }
    assert!(faults.is_empty(), "not there: {}", faults.join("\n"));
    assert!(checked > 10, "{checked}");
}

#[test]
fn addresses_and_anchors_are_told_apart() {
    for (address, is_right) in [
        ("https://docs.aws.amazon.com/a#b", true),
        ("http://docs.aws.amazon.com/", false),
        ("https://localhost/x", false),
        ("https://…/sg-trust.git", false),
        ("https://10.0.0.1/x", false),
        ("https://-a.com", false),
    ] {
        assert_eq!(fault_of_address(address).is_none(), is_right, "{address}");
    }
    let page = Page::read("docs/a.md", "# One\n");
    let pages = [Page::read("docs/a.md", "# One\n")];
    assert!(fault_of_link(&page, "#two", &pages).is_some());
    assert!(fault_of_link(&page, "nowhere.md", &pages).is_some());
    assert_eq!(fault_of_link(&page, "../Cargo.toml", &pages), None);
}
