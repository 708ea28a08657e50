//! What the page ends with: clusters, sources that no file has, what was not read, and the settings.

use super::sections::Sections;
use super::text::{Name, Text};
use super::{Contents, HtmlError, count, plural};
use crate::config::to_toml;
use crate::graph::{Group, Overview, Unseen, Walk, Why};
use crate::policy::exemption::Exemption;
use crate::report::graph::{NOT_READ, name, outside_name};
use crate::report::prose::describe_exemption;
use crate::text::escape;

/// How many groups a list names before it counts the rest.
const MOST_NAMED: usize = 60;

#[derive(Debug)]
pub(super) struct Rest<'a> {
    pub(super) clusters: Vec<Cluster<'a>>,
    pub(super) unseen: Vec<UnseenView>,
    pub(super) latent: Vec<Text<String>>,
    pub(super) more_latent: usize,
    pub(super) not_read: String,
    pub(super) has_interfaces: bool,
    pub(super) has_counts: bool,
    pub(super) cannot_tell: Vec<Text<String>>,
    pub(super) more_cannot_tell: usize,
    pub(super) troubles: Vec<Text<&'a str>>,
    pub(super) exemptions: Vec<ExemptionView>,
    pub(super) settings: Text<String>,
}

#[derive(Debug)]
pub(super) struct Cluster<'a> {
    pub(super) size: String,
    pub(super) groups: Vec<(Option<usize>, Name<'a>)>,
    pub(super) more: usize,
}

#[derive(Debug)]
pub(super) struct UnseenView {
    pub(super) source: Text<String>,
    pub(super) account: Option<Text<String>>,
    pub(super) why: &'static str,
    pub(super) named_by: Text<String>,
}

#[derive(Debug)]
pub(super) struct ExemptionView {
    pub(super) id: Text<String>,
    pub(super) words: Text<String>,
    pub(super) end: String,
    pub(super) has_ended: bool,
    pub(super) covers: String,
}

impl<'a> Rest<'a> {
    pub(super) fn new(
        contents: &Contents<'a>,
        walk: &Walk<'a>,
        overview: &Overview<'_>,
        sections: &Sections<'a>,
    ) -> Result<Self, HtmlError> {
        let graph = walk.graph();
        let (latent, more_latent) = named(graph.groups(), Group::is_latent, name);
        let has_unknown = |group: &Group| !group.internet.unknown.is_empty();
        let (cannot_tell, more_cannot_tell) = named(graph.groups(), has_unknown, ranges_of);
        Ok(Self {
            clusters: clusters(walk, overview, sections),
            unseen: graph
                .unseen()
                .iter()
                .map(|unseen| UnseenView::new(unseen, walk))
                .collect(),
            latent,
            more_latent,
            not_read: NOT_READ.join(", "),
            has_interfaces: graph.has_interfaces(),
            has_counts: overview.counts.is_some(),
            cannot_tell,
            more_cannot_tell,
            troubles: contents
                .troubles
                .iter()
                .map(|trouble| Text(trouble.as_str()))
                .collect(),
            exemptions: contents
                .settings
                .exemptions
                .iter()
                .map(|exemption| ExemptionView::new(exemption, contents))
                .collect(),
            settings: Text(to_toml(contents.settings)?.trim_end().to_owned()),
        })
    }
}

/// The groups that are meant, in words, and how many more there are.
fn named(
    groups: &[Group],
    is_meant: impl Fn(&Group) -> bool,
    words: impl Fn(&Group) -> String,
) -> (Vec<Text<String>>, usize) {
    let meant = || groups.iter().filter(|group| is_meant(group));
    let named = meant().take(MOST_NAMED).map(|group| Text(words(group)));
    (named.collect(), meant().count().saturating_sub(MOST_NAMED))
}

fn ranges_of(group: &Group) -> String {
    let unknown = &group.internet.unknown;
    let ranges: Vec<_> = unknown.iter().take(3).map(|range| escape(range)).collect();
    let more = match unknown.len() - ranges.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {}{more}", name(group), ranges.join(", "))
}

fn clusters<'a>(
    walk: &Walk<'a>,
    overview: &Overview<'_>,
    sections: &Sections<'a>,
) -> Vec<Cluster<'a>> {
    let graph = walk.graph();
    let cluster = |groups: &Vec<crate::graph::GroupIndex>| {
        let named = groups.iter().take(MOST_NAMED).filter_map(|index| {
            let group = graph.group(*index)?;
            let text = group
                .group_name
                .as_deref()
                .unwrap_or(group.group_id.as_str());
            Some((sections.anchor(index.place()), Name(text)))
        });
        Cluster {
            size: plural(groups.len(), "group", "groups"),
            groups: named.collect(),
            more: groups.len().saturating_sub(MOST_NAMED),
        }
    };
    overview.clusters.iter().map(cluster).collect()
}

impl UnseenView {
    fn new(unseen: &Unseen, walk: &Walk<'_>) -> Self {
        let graph = walk.graph();
        let first = unseen
            .referenced_by
            .first()
            .and_then(|index| graph.group(*index));
        let more = match unseen.referenced_by.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" and {} more", count(more)),
        };
        Self {
            source: Text(outside_name(&unseen.source)),
            account: unseen
                .source
                .owner_id
                .as_ref()
                .map(|owner| Text(owner.to_string())),
            why: match unseen.why {
                Why::OtherAccount => "It is of an account that was not read.",
                Why::Peering => "It is over a peering connection.",
                Why::StalePeering => "Its peering connection is not active: the rule is stale.",
                Why::NotInSnapshot => "It is not in the files that were read.",
            },
            named_by: Text(first.map(name).unwrap_or_default() + &more),
        }
    }
}

impl ExemptionView {
    fn new(exemption: &Exemption, contents: &Contents<'_>) -> Self {
        let violations = contents
            .groups
            .iter()
            .flat_map(|one| &one.verdict.violations);
        let covered =
            violations.filter(|violation| violation.exemption.as_ref() == Some(exemption));
        let has_ended = exemption.until.is_some_and(|until| until < contents.today);
        Self {
            id: Text(exemption.id.clone()),
            words: Text(describe_exemption(&Exemption {
                until: None,
                ..exemption.clone()
            })),
            end: match exemption.until {
                Some(until) if has_ended => format!("ended on {until}"),
                Some(until) => format!("until {until}"),
                None => "no end".to_owned(),
            },
            has_ended,
            covers: plural(covered.count(), "violation", "violations"),
        }
    }
}
