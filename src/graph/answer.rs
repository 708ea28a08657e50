//! The answer to whether one reaches the other.

use super::questions::{Hop, Reaching};
use super::trust::{GroupIndex, SourceName, TrustEdge};
use super::walk::{Origin, Walk};

/// Where chains end: at one of these groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// The id of the group, or `level:` and a level.
    pub label: String,
    pub groups: Vec<GroupIndex>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Whether one reaches the other. A cut is computed when it is asked for; see [`Walk::cut`] for `keep_exempt`.
    Between {
        from: Origin,
        to: Targets,
        cut: Option<KeepExempt>,
    },
    /// Whatever this reaches.
    From(Origin),
    /// Who reaches these.
    To(Targets),
}

/// Whether exempt trust edges may not be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepExempt(pub bool);

#[derive(Debug)]
pub enum Answer<'a> {
    Reachable(Reachable<'a>),
    Unreachable(Unreachable<'a>),
    Reached(Vec<(GroupIndex, u32)>),
    Reaching(Reaching<'a>),
}

#[derive(Debug)]
pub struct Reachable<'a> {
    pub path: Vec<Hop<'a>>,
    /// The least number of trust edges that are not open on a path.
    pub restricted_hops: u32,
    /// The trust edges that every path takes.
    pub chokes: Vec<TrustEdge<'a>>,
    /// A smallest set of trust edges without which there is no path; none when some path has none that may be cut.
    pub cut: Option<Option<Vec<TrustEdge<'a>>>>,
}

/// Parts of the account that were not read, and may lead to the targets.
#[derive(Debug)]
pub struct Unreachable<'a> {
    /// Groups on the way to the targets, these among them, that admit address ranges or prefix lists.
    pub with_ranges: Vec<GroupIndex>,
    /// Sources on the way that no file has.
    pub outside: Vec<&'a SourceName>,
    /// Whether a cut was asked for: nothing is to be cut.
    pub has_cut: bool,
}

impl<'a> Walk<'a> {
    /// Answers a question.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Answer<'a> {
        match question {
            Question::From(origin) => Answer::Reached(self.reached(*origin)),
            Question::To(targets) => Answer::Reaching(self.reaching(&targets.groups)),
            Question::Between { from, to, cut } => self.between(*from, &to.groups, *cut),
        }
    }

    fn between(&self, from: Origin, to: &[GroupIndex], cut: Option<KeepExempt>) -> Answer<'a> {
        let Some(path) = self.path(from, to) else {
            return Answer::Unreachable(self.unreachable(to, cut.is_some()));
        };
        Answer::Reachable(Reachable {
            path,
            restricted_hops: self.restricted_hops(from, to).unwrap_or(0),
            chokes: self.chokes(from, to),
            cut: cut.map(|KeepExempt(keep_exempt)| self.cut(from, to, keep_exempt)),
        })
    }

    fn unreachable(&self, to: &[GroupIndex], has_cut: bool) -> Unreachable<'a> {
        let admits_ranges = |index: &GroupIndex| {
            let group = self.graph().group(*index);
            group.is_some_and(|group| group.internet.has_other_ranges)
        };
        let mut with_ranges = self.on_the_way(to);
        with_ranges.retain(admits_ranges);
        let outside = self.reaching(to).outside.into_iter();
        Unreachable {
            with_ranges,
            outside: outside.map(|(name, _)| name).collect(),
            has_cut,
        }
    }
}
