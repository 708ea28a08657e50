//! A row for every group, and a section for every group that is not PASSED.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use askama::filters::HtmlSafe;

use super::near::{Near, Neighbour};
use super::plans::{GroupFix, PlanView};
use super::text::{Id, Name, Text};
use super::violations::ViolationView;
use super::{Contents, Evaluated, plural};
use crate::graph::{Group, GroupIndex, Overview, SourceName};
use crate::policy::{ReferencedGroups, Severity, Status};
use crate::remediation::plan::PlanError;
use crate::report::graph::outside_name;
use crate::text::escape;

/// How many neighbours a section names, and how many where there are so many sections that the page would grow large.
const NAMED: usize = 12;
const NAMED_OF_MANY: usize = 2;
const MANY_SECTIONS: usize = 400;
const MANY_ROWS: usize = 2_000;

#[derive(Debug)]
pub(super) struct Sections<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) details: Vec<Detail<'a>>,
    pub(super) has_regions: bool,
    pub(super) has_counts: bool,
    /// How many neighbours a section names.
    named: usize,
    /// For each group of the graph its place among the evaluated, which is the number of its section.
    places: Vec<Option<usize>>,
    evaluated: &'a [Evaluated],
    outside: &'a [SourceName],
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) anchor: Option<usize>,
    /// For the attribute.
    pub(super) key: Cow<'a, str>,
    pub(super) id: Id<'a>,
    pub(super) name: Option<Name<'a>>,
    pub(super) account: Option<Id<'a>>,
    pub(super) region: Option<Id<'a>>,
    pub(super) vpc: Option<Id<'a>>,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) severity: Option<Level>,
    pub(super) reached_by: Option<u32>,
    pub(super) reaches: Option<u32>,
    pub(super) hops: Option<u32>,
}

/// A severity as a badge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

#[derive(Debug)]
pub(super) struct Detail<'a> {
    pub(super) anchor: usize,
    pub(super) verdict: &'static str,
    pub(super) class: &'static str,
    pub(super) severity: Option<Level>,
    pub(super) id: Id<'a>,
    pub(super) name: Option<Name<'a>>,
    pub(super) places: Vec<Text<String>>,
    pub(super) violations: Vec<ViolationView<'a>>,
    /// Of a FAILED group.
    pub(super) plan: Option<PlanView>,
    pub(super) internet: Option<String>,
    pub(super) reached_by: Neighbours<'a>,
    pub(super) reaches: Neighbours<'a>,
}

/// Groups near a group.
#[derive(Debug)]
pub(super) struct Neighbours<'a> {
    pub(super) count: Option<String>,
    is_counted_none: bool,
    pub(super) named: Vec<Named<'a>>,
    pub(super) more: bool,
}

impl Neighbours<'_> {
    pub(super) fn is_none(&self) -> bool {
        self.is_counted_none && self.named.is_empty()
    }
}

#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) anchor: Option<usize>,
    pub(super) name: NamedText<'a>,
}

#[derive(Debug)]
pub(super) enum NamedText<'a> {
    Group(Name<'a>),
    Outside(Text<String>),
}

impl HtmlSafe for NamedText<'_> {}

impl fmt::Display for NamedText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => name.fmt(formatter),
            Self::Outside(text) => text.fmt(formatter),
        }
    }
}

pub(super) fn class_of(status: Status) -> &'static str {
    match status {
        Status::Failed => "failed",
        Status::Exempt => "exempt",
        Status::Passed => "passed",
    }
}

impl Level {
    pub(super) fn of(severity: Severity) -> Self {
        let class = match severity {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        Self {
            word: severity.as_str(),
            class,
        }
    }
}

/// Whether groups are of several Regions: one that all have stands at the top.
fn has_several_regions(groups: &[Evaluated]) -> bool {
    let first = groups.first().and_then(|one| one.region.as_ref());
    groups.iter().any(|one| one.region.as_ref() != first)
}

impl<'a> Sections<'a> {
    /// Whether there are so many sections that a browser had better not lay out all of them at once.
    pub(super) fn is_many(&self) -> bool {
        self.details.len() > MANY_SECTIONS
    }

    /// The same of the rows.
    pub(super) fn has_many_rows(&self) -> bool {
        self.rows.len() > MANY_ROWS
    }

    /// # Errors
    /// When no plan can be made.
    pub(super) fn new(
        contents: &Contents<'a>,
        overview: &Overview<'_>,
        near: &Near<'a>,
    ) -> Result<Self, PlanError> {
        let evaluated = contents.groups;
        let mut referenced = ReferencedGroups::default();
        for one in evaluated {
            referenced.add(contents.settings, &one.group);
        }
        let graph = contents.graph;
        let place_of = |group: &Group| {
            let key = (&group.group_id, group.owner_id.as_ref());
            evaluated.binary_search_by(|one| one.key().cmp(&key)).ok()
        };
        let not_passed = evaluated
            .iter()
            .filter(|one| one.verdict.status != Status::Passed);
        let mut sections = Self {
            named: if not_passed.count() > MANY_SECTIONS {
                NAMED_OF_MANY
            } else {
                NAMED
            },
            rows: Vec::new(),
            details: Vec::new(),
            has_regions: has_several_regions(evaluated),
            has_counts: overview.counts.is_some(),
            places: graph.groups().iter().map(place_of).collect(),
            evaluated,
            outside: graph.outside(),
        };
        let mut in_graph: Vec<Option<GroupIndex>> = vec![None; evaluated.len()];
        for (index, place) in graph.indices().zip(&sections.places) {
            if let Some(slot) = place.and_then(|place| in_graph.get_mut(place)) {
                *slot = Some(index);
            }
        }
        let mut order: Vec<_> = evaluated.iter().enumerate().collect();
        order.sort_by_key(|(place, one)| {
            let rank = match one.verdict.status {
                Status::Failed => 0,
                Status::Exempt => 1,
                Status::Passed => 2,
            };
            (rank, Reverse(one.verdict.severity), *place)
        });
        for (place, one) in order {
            let index = in_graph.get(place).copied().flatten();
            let row = Row::new(place, one, index, overview);
            if row.anchor.is_some() {
                let plan = GroupFix::new(contents, &referenced, one)?;
                let detail = sections.detail(contents, &row, one, plan.as_ref(), index, near);
                sections.details.push(detail);
            }
            sections.rows.push(row);
        }
        Ok(sections)
    }

    /// The evaluated group of a place of the graph.
    pub(super) fn evaluated(&self, place: usize) -> Option<(usize, &'a Evaluated)> {
        let place = self.places.get(place).copied().flatten()?;
        Some((place, self.evaluated.get(place)?))
    }

    /// The number of the section of a place of the graph, if it has one.
    pub(super) fn anchor(&self, place: usize) -> Option<usize> {
        let (place, one) = self.evaluated(place)?;
        (one.verdict.status != Status::Passed).then_some(place)
    }

    fn detail(
        &self,
        contents: &Contents<'a>,
        row: &Row<'a>,
        one: &'a Evaluated,
        plan: Option<&GroupFix>,
        index: Option<GroupIndex>,
        near: &Near<'a>,
    ) -> Detail<'a> {
        let most = self.named;
        let group = index.and_then(|index| contents.graph.group(index));
        let neighbours = |count: Option<u32>, found: Vec<Neighbour>| {
            let named = found
                .iter()
                .take(most)
                .filter_map(|one| self.named(one.place));
            Neighbours {
                is_counted_none: count == Some(0),
                count: count.map(|count| plural(count as usize, "group", "groups")),
                named: named.collect(),
                more: found.len() > most,
            }
        };
        let reaching = index.map(|index| near.reaching(index.place(), most + 1));
        let reached = index.map(|index| near.reached_from(index.place(), most + 1));
        let violations = one.verdict.most_severe_first();
        Detail {
            anchor: row.anchor.unwrap_or_default(),
            verdict: row.verdict,
            class: row.class,
            severity: row.severity,
            id: row.id,
            name: row.name,
            places: places(one, group),
            violations: violations
                .into_iter()
                .map(|violation| ViolationView::new(contents, one, violation, plan))
                .collect(),
            plan: plan.map(|plan| plan.view(&one.verdict.violations, one.region.as_ref())),
            internet: row.hops.map(|hops| match hops {
                0 => "It faces the internet.".to_owned(),
                hops => format!(
                    "The internet reaches it over {}.",
                    plural(hops as usize, "trust edge", "trust edges")
                ),
            }),
            reached_by: neighbours(row.reached_by, reaching.unwrap_or_default()),
            reaches: neighbours(row.reaches, reached.unwrap_or_default()),
        }
    }

    fn named(&self, place: usize) -> Option<Named<'a>> {
        if let Some((number, one)) = self.evaluated(place) {
            let group = &one.group;
            let name = group
                .group_name
                .as_deref()
                .unwrap_or(group.group_id.as_str());
            return Some(Named {
                anchor: (one.verdict.status != Status::Passed).then_some(number),
                name: NamedText::Group(Name(name)),
            });
        }
        let outside = self.outside.get(place.checked_sub(self.places.len())?)?;
        Some(Named {
            anchor: None,
            name: NamedText::Outside(Text(outside_name(outside))),
        })
    }
}

impl<'a> Row<'a> {
    fn new(
        place: usize,
        one: &'a Evaluated,
        index: Option<GroupIndex>,
        overview: &Overview<'_>,
    ) -> Self {
        let Evaluated {
            group,
            region,
            verdict,
        } = one;
        let at = index.map(GroupIndex::place);
        let counts = overview.counts.as_ref();
        let number = |counts: &[u32]| counts.get(at?).copied();
        Self {
            anchor: (verdict.status != Status::Passed).then_some(place),
            key: escape(group.group_id.as_str()),
            id: Id(group.group_id.as_str()),
            name: group.group_name.as_deref().map(Name),
            account: group.owner_id.as_ref().map(|owner| Id(owner.as_str())),
            region: region.as_ref().map(|region| Id(region.as_str())),
            vpc: group.vpc_id.as_ref().map(|vpc| Id(vpc.as_str())),
            verdict: verdict.status.as_str(),
            class: class_of(verdict.status),
            severity: (verdict.status == Status::Failed).then(|| Level::of(verdict.severity)),
            reached_by: counts.and_then(|counts| number(&counts.reached_by)),
            reaches: counts.and_then(|counts| number(&counts.reaches)),
            hops: at.and_then(|at| overview.hops_from_internet.get(at).copied().flatten()),
        }
    }
}

/// Where a group is and who carries it, piece by piece.
fn places(one: &Evaluated, in_graph: Option<&Group>) -> Vec<Text<String>> {
    let group = &one.group;
    let owner = group
        .owner_id
        .as_ref()
        .map(|owner| format!("account {owner}"));
    let region = one.region.as_ref().map(ToString::to_string);
    let vpc = group.vpc_id.as_ref().map(ToString::to_string);
    let level = in_graph
        .and_then(|group| group.level.as_ref())
        .map(|level| format!("sensitivity: {level}"));
    let carriers =
        in_graph
            .and_then(|group| group.carriers)
            .map(|carriers| match carriers.machines {
                0 => "on no network interface".to_owned(),
                machines => format!("on {}", plural(machines as usize, "machine", "machines")),
            });
    let exposed = in_graph
        .filter(|group| group.is_exposed())
        .map(|_| "at a public address".to_owned());
    let pieces = [owner, region, vpc, level, carriers, exposed];
    pieces
        .into_iter()
        .flatten()
        .map(|piece| Text(escape(&piece).into_owned()))
        .collect()
}
