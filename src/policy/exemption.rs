//! Exemptions: accepted risks, each with a reason and, where wanted, an end.
//!
//! An exemption covers a violation when its target matches the group, its source matches whom the group lets in, and it
//! has not ended. It never hides one: the violation stays listed, with the exemption's id.
//!
//! Whoever may tag or name a group could excuse it. So an exemption that is matched only by a name or by a tag outside
//! `aws:`, which AWS reserves for itself, is refused unless it says `self_service = true`.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use wildmatch::WildMatch;

use super::{Source, Verdict};
use crate::model::{AccountId, GroupId, SecurityGroup, VpcId};
use crate::text::{escape, is_deceptive, truncate, utf16_len};

/// Shortest reason, in characters.
const SHORTEST_REASON: usize = 10;
/// Longest owner, in characters.
const LONGEST_OWNER: usize = 256;
/// How many days before its end an exemption is said to end soon.
const SOON: i32 = 30;
/// AWS reserves tags that begin so.
const AWS_TAG: &str = "aws:";

/// An accepted risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Its id, unique among the settings.
    pub id: String,
    /// Why the risk is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds, in UTC; without one it has no end.
    pub until: Option<Date>,
    /// Is it meant that whoever may tag or name a group can excuse it?
    pub self_service: bool,
    /// Which groups it excuses.
    pub target: TargetMatch,
    /// For letting in whom.
    pub source: SourceMatch,
}

/// Which groups: all matchers that are given must match, and one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetMatch {
    /// The group's id.
    pub id: Option<GroupId>,
    /// Its name.
    pub name: Option<Glob>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its owner.
    pub account: Option<AccountId>,
    /// A tag of it.
    pub tag: Option<TagMatch>,
}

/// `key`, or `key=value` with a glob as the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMatch {
    /// The tag's key, to the letter.
    pub key: String,
    /// Its value; any, where none is given.
    pub value: Option<Glob>,
}

/// For letting in whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceMatch {
    /// The group itself.
    Itself,
    /// Whomever.
    Any,
    /// A group of the same account; one of an unknown account is none.
    SameAccount,
    /// The group with this id, whatever its account.
    Id(GroupId),
    /// The group with this id in this account.
    Foreign {
        /// The group's id.
        id: GroupId,
        /// Its account.
        account: AccountId,
    },
}

/// A pattern of `*` (any characters) and `?` (one), for the whole of a text, with regard to case.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    pattern: WildMatch,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Glob {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            pattern: WildMatch::new(text),
        }
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.pattern.matches(text)
    }
}

impl TagMatch {
    /// `key`, or `key=value`, split at the first `=`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(Glob::new(value))),
            None => (text, None),
        };
        (!key.is_empty()).then(|| Self {
            key: key.to_owned(),
            value,
        })
    }
}

impl fmt::Display for TagMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(formatter, "{}={}", self.key, value.text),
            None => formatter.write_str(&self.key),
        }
    }
}

impl SourceMatch {
    /// One of the words, or a group's id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "self" => Some(Self::Itself),
            "any" => Some(Self::Any),
            "same-account" => Some(Self::SameAccount),
            id => GroupId::parse(id).map(Self::Id),
        }
    }
}

/// What makes an exemption unfit to be used, and the key that is to blame.
pub(crate) struct Problem {
    pub(crate) key: &'static str,
    pub(crate) text: String,
}

/// What an exemption is to a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExemptionMatch {
    /// It covers it.
    Covers,
    /// It would, had it not ended on this day.
    Ended(Date),
    /// It does not match: the first matcher that does not, in words.
    Differs(String),
}

impl Exemption {
    /// What it is to a violation of a group by letting in a source, on a day in UTC.
    #[must_use]
    pub fn consider(&self, group: &SecurityGroup, source: &Source, today: Date) -> ExemptionMatch {
        let difference = self
            .target
            .difference(group)
            .or_else(|| self.source.difference(group, source));
        match (difference, self.until) {
            (Some(difference), _) => ExemptionMatch::Differs(difference),
            (None, Some(until)) if until < today => ExemptionMatch::Ended(until),
            (None, _) => ExemptionMatch::Covers,
        }
    }

    /// `reason (owner platform@example.com, until 2027-06-30)`.
    #[must_use]
    pub fn words(&self) -> String {
        self.words_within(usize::MAX)
    }

    /// The same in no more than so many characters: the reason is cut, its owner and end stay.
    #[must_use]
    pub fn words_within(&self, most: usize) -> String {
        let owner = self
            .owner
            .as_ref()
            .map(|owner| format!("owner {}", escape(owner)));
        let until = self.until.map(|until| format!("until {until}"));
        let notes: Vec<_> = owner.into_iter().chain(until).collect();
        let notes = if notes.is_empty() {
            String::new()
        } else {
            format!(" ({})", notes.join(", "))
        };
        let reason = escape(&self.reason);
        let reason = truncate(&reason, most.saturating_sub(utf16_len(&notes)));
        format!("{reason}{notes}")
    }

    /// What makes it unfit to be used, if anything.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let problem = |key, text: String| Some(Problem { key, text });
        if self.id.trim().is_empty() {
            return problem("id", "it is empty".to_owned());
        }
        if self
            .owner
            .as_ref()
            .is_some_and(|owner| utf16_len(owner) > LONGEST_OWNER)
        {
            return problem(
                "owner",
                format!("it is longer than {LONGEST_OWNER} characters"),
            );
        }
        let shows = |character: &char| !is_deceptive(*character) && !character.is_control();
        if self.reason.trim().chars().filter(shows).count() < SHORTEST_REASON {
            return problem(
                "reason",
                format!(
                    "{:?} is shorter than {SHORTEST_REASON} characters: say why the risk is accepted",
                    self.reason
                ),
            );
        }
        let TargetMatch {
            id,
            name,
            vpc,
            account,
            tag,
        } = &self.target;
        let by_aws_tag = tag.as_ref().is_some_and(|tag| tag.key.starts_with(AWS_TAG));
        let by_owner = name.is_some() || tag.is_some();
        let by_others = id.is_some() || vpc.is_some() || account.is_some() || by_aws_tag;
        if !by_owner && !by_others {
            return problem(
                "target",
                "it needs at least one of id, name, vpc, account and tag".to_owned(),
            );
        }
        if !by_others && !self.self_service {
            return problem(
                "target",
                format!(
                    "it matches only by a {}, so whoever may set that could excuse a group: match by id, vpc, account or an \
                     aws: tag too, or say self_service = true",
                    match (name, tag) {
                        (Some(_), Some(_)) => "name and a tag",
                        (Some(_), None) => "name",
                        _ => "tag outside aws:",
                    }
                ),
            );
        }
        None
    }
}

impl TargetMatch {
    /// The first matcher that does not match, in words.
    fn difference(&self, group: &SecurityGroup) -> Option<String> {
        let TargetMatch {
            id,
            name,
            vpc,
            account,
            tag,
        } = self;
        if let Some(id) = id.as_ref().filter(|id| **id != group.group_id) {
            return Some(format!("the group is not {id}"));
        }
        let group_name = group.group_name.as_deref();
        if let Some(glob) = name
            .as_ref()
            .filter(|glob| !group_name.is_some_and(|name| glob.matches(name)))
        {
            return Some(format!("the group's name is not {}", glob.text));
        }
        if let Some(vpc) = vpc
            .as_ref()
            .filter(|vpc| group.vpc_id.as_ref() != Some(*vpc))
        {
            return Some(format!("the group is not in {vpc}"));
        }
        if let Some(account) = account
            .as_ref()
            .filter(|account| group.owner_id.as_ref() != Some(*account))
        {
            return Some(format!("the group is not of account {account}"));
        }
        let TagMatch { key, value } = tag.as_ref()?;
        match (group.tags.get(key), value) {
            (None, _) => Some(format!("the group has no tag {key}")),
            (Some(has), Some(glob)) if !glob.matches(has) => {
                Some(format!("the group's tag {key} is not {}", glob.text))
            }
            (Some(_), _) => None,
        }
    }
}

impl SourceMatch {
    /// Why it does not match, in words.
    fn difference(&self, group: &SecurityGroup, source: &Source) -> Option<String> {
        let has_id = |id: &GroupId| source.group_id.as_ref() == Some(id);
        match self {
            Self::Any => None,
            Self::Itself if source.is_self => None,
            Self::Itself => Some("the source is not the group itself".to_owned()),
            Self::SameAccount if source.owner_id.is_some() && source.owner_id == group.owner_id => {
                None
            }
            Self::SameAccount => {
                Some("the source is not known to be of the same account".to_owned())
            }
            Self::Id(id) if has_id(id) => None,
            Self::Id(id) => Some(format!("the source is not {id}")),
            Self::Foreign { id, account }
                if source.owner_id.as_ref() == Some(account) && has_id(id) =>
            {
                None
            }
            Self::Foreign { id, account } => Some(format!(
                "the source is not known to be {id} of account {account}"
            )),
        }
    }
}

/// Which exemptions were of use in a run over all groups.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    matched: BTreeSet<usize>,
}

/// Exemptions that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Warnings {
    /// Each in one sentence.
    pub sentences: Vec<String>,
    /// How many end within 30 days.
    pub ending: u64,
}

impl Usage {
    /// Notes which exemptions matched a violation of a group.
    pub fn note(&mut self, verdict: &Verdict) {
        for violation in &verdict.violations {
            self.matched.extend(&violation.matched);
        }
    }

    /// Adds those of another run.
    pub fn join(&mut self, other: &Self) {
        self.matched.extend(&other.matched);
    }
}

/// What is to be said about exemptions on a day: which end soon or have ended, and after a run over all groups which were of
/// no use. Of one account, where that is given, since one set of settings may serve many.
#[must_use]
pub fn warnings(
    exemptions: &[Exemption],
    usage: Option<&Usage>,
    account: Option<&AccountId>,
    today: Date,
) -> Warnings {
    let mut warnings = Warnings::default();
    for (number, exemption) in exemptions.iter().enumerate() {
        let of_target = exemption.target.account.as_ref();
        if account
            .zip(of_target)
            .is_some_and(|(account, of_target)| account != of_target)
        {
            continue;
        }
        let id = escape(&exemption.id);
        if let Some(until) = exemption.until {
            let left = (until - today).get_days();
            if left < 0 {
                warnings.sentences.push(format!(
                    "exemption {id} ended on {until}: remove it, or renew it with a reason"
                ));
                continue;
            }
            if left <= SOON {
                warnings.ending += 1;
                let days = if left == 1 { "day" } else { "days" };
                warnings
                    .sentences
                    .push(format!("exemption {id} ends on {until}, in {left} {days}"));
            }
        }
        if usage.is_some_and(|usage| !usage.matched.contains(&number)) {
            warnings.sentences.push(format!(
                "exemption {id} matched no violation: is it still needed, and is it right?"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::{ReferencedGroups, Settings, Status};

    const GROUP: &str = r#"{"GroupId":"sg-0aaa","GroupName":"pay $(id)'db","OwnerId":"111111111111","VpcId":"vpc-0a",
        "Tags":[{"Key":"team","Value":"pay=ments"},{"Key":"aws:eks:cluster-name","Value":"prod"}],
        "IpPermissions":[{"IpProtocol":"-1","UserIdGroupPairs":[PAIR]}]}"#;
    const ITSELF: &str = r#"{"GroupId":"sg-0aaa","UserId":"111111111111"}"#;
    const EQUAL: &str = r#"{"GroupId":"sg-0bbb","UserId":"111111111111"}"#;
    const FOREIGN: &str = r#"{"GroupId":"sg-0bbb","UserId":"222222222222"}"#;
    const UNKNOWN: &str = r#"{"GroupId":"sg-0bbb"}"#;

    fn policy(target: &str, source: &str, rest: &str) -> Settings {
        let text = format!(
            "[[exemption]]\nid = \"a\"\nreason = \"accepted by the board\"\ntarget = {target}\nsource = {source}\nself_service = true\n{rest}"
        );
        crate::config::read("policy.toml", &text).unwrap()
    }

    fn verdict(policy: &Settings, pair: &str, today: &str) -> Verdict {
        let group: SecurityGroup = serde_json::from_str(&GROUP.replace("PAIR", pair)).unwrap();
        crate::policy::evaluate(
            policy,
            &group,
            &ReferencedGroups::default(),
            today.parse().unwrap(),
        )
    }

    fn status(policy: &Settings, pair: &str) -> Status {
        verdict(policy, pair, "2026-11-24").status
    }

    #[test]
    fn every_matcher_of_the_target_must_match() {
        for (target, matches) in [
            (r#"{ id = "sg-0aaa" }"#, true),
            (r#"{ id = "sg-0aab" }"#, false),
            (r#"{ name = "pay*" }"#, true),
            (r#"{ name = "*" }"#, true),
            (r#"{ name = "pay $(id)'d?" }"#, true),
            (r#"{ name = "pay" }"#, false),
            (r#"{ name = "Pay*" }"#, false),
            (r#"{ name = "db" }"#, false),
            (r#"{ vpc = "vpc-0a" }"#, true),
            (r#"{ vpc = "vpc-0b" }"#, false),
            (r#"{ account = "111111111111" }"#, true),
            (r#"{ account = "222222222222" }"#, false),
            (r#"{ tag = "team" }"#, true),
            (r#"{ tag = "Team" }"#, false),
            (r#"{ tag = "tea*" }"#, false),
            (r#"{ tag = "team=pay=ments" }"#, true),
            (r#"{ tag = "team=pay*" }"#, true),
            (r#"{ tag = "team=" }"#, false),
            (r#"{ tag = "team=ments" }"#, false),
            (r#"{ tag = "aws:eks:cluster-name=prod" }"#, true),
            (
                r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
                true,
            ),
            (
                r#"{ id = "sg-0aab", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
                false,
            ),
            (
                r#"{ id = "sg-0aaa", name = "pax*", vpc = "vpc-0a", account = "111111111111", tag = "team" }"#,
                false,
            ),
            (
                r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0b", account = "111111111111", tag = "team" }"#,
                false,
            ),
            (
                r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111112", tag = "team" }"#,
                false,
            ),
            (
                r#"{ id = "sg-0aaa", name = "pay*", vpc = "vpc-0a", account = "111111111111", tag = "theme" }"#,
                false,
            ),
        ] {
            let expected = if matches {
                Status::Exempt
            } else {
                Status::Failed
            };
            assert_eq!(
                status(&policy(target, "\"any\"", ""), EQUAL),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn the_source_must_match() {
        for (source, of) in [
            ("\"any\"", [true, true, true, true]),
            ("\"self\"", [true, false, false, false]),
            ("\"same-account\"", [true, true, false, false]),
            ("\"sg-0bbb\"", [false, true, true, true]),
            (
                r#"{ id = "sg-0bbb", account = "222222222222" }"#,
                [false, false, true, false],
            ),
        ] {
            let policy = policy(r#"{ vpc = "vpc-0a" }"#, source, "");
            let is_exempt = [ITSELF, EQUAL, FOREIGN, UNKNOWN]
                .map(|pair| status(&policy, pair) == Status::Exempt);
            assert_eq!(is_exempt, of, "{source}");
        }
    }

    #[test]
    fn the_last_day_still_holds() {
        let policy = policy(r#"{ vpc = "vpc-0a" }"#, "\"any\"", "until = 2027-06-30");
        for (today, status, warns) in [
            ("2027-05-30", Status::Exempt, None),
            (
                "2027-05-31",
                Status::Exempt,
                Some("exemption a ends on 2027-06-30, in 30 days"),
            ),
            (
                "2027-06-29",
                Status::Exempt,
                Some("exemption a ends on 2027-06-30, in 1 day"),
            ),
            (
                "2027-06-30",
                Status::Exempt,
                Some("exemption a ends on 2027-06-30, in 0 days"),
            ),
            (
                "2027-07-01",
                Status::Failed,
                Some("exemption a ended on 2027-06-30: remove it"),
            ),
        ] {
            let verdict = verdict(&policy, EQUAL, today);
            assert_eq!(verdict.status, status, "{today}");
            let mut usage = Usage::default();
            usage.note(&verdict);
            let warnings = warnings(
                &policy.exemptions,
                Some(&usage),
                None,
                today.parse().unwrap(),
            );
            let ends_soon = warns.is_some_and(|warns| warns.contains("ends on"));
            assert_eq!(warnings.ending, u64::from(ends_soon), "{today}");
            match (warnings.sentences.as_slice(), warns) {
                ([], None) => {}
                ([sentence], Some(warns)) => assert!(sentence.starts_with(warns), "{sentence}"),
                other => panic!("{today}: {other:?}"),
            }
        }
    }

    #[test]
    fn each_violation_needs_an_exemption_of_its_own() {
        let policy = policy(r#"{ vpc = "vpc-0a" }"#, "\"self\"", "");
        let verdict = verdict(&policy, &format!("{ITSELF},{FOREIGN}"), "2026-11-24");
        assert_eq!(verdict.status, Status::Failed);
        let exemptions: Vec<_> = verdict
            .violations
            .iter()
            .map(|violation| violation.exemption.as_ref().map(|one| one.id.as_str()))
            .collect();
        assert_eq!(exemptions, [Some("a"), None]);
    }

    #[test]
    fn of_several_the_first_that_holds_covers_and_all_count_as_used() {
        let one = |id: &str, until: &str| {
            format!(
                "[[exemption]]\nid = \"{id}\"\nreason = \"accepted by the board\"\n{until}\ntarget = {{ vpc = \"vpc-0a\" }}\nsource = \"any\"\n"
            )
        };
        let text = [
            one("ended", "until = 2020-01-01"),
            one("first", ""),
            one("second", ""),
        ]
        .concat();
        let unused = "[[exemption]]\nid = \"unused\"\nreason = \"accepted by the board\"\ntarget = { vpc = \"vpc-0b\" }\nsource = \"any\"\n";
        let policy = crate::config::read("policy.toml", &(text + unused)).unwrap();
        let verdict = verdict(&policy, EQUAL, "2026-11-24");
        assert_eq!(
            verdict.violations[0].exemption.as_ref().unwrap().id,
            "first"
        );
        let mut usage = Usage::default();
        usage.note(&verdict);
        let sentences = warnings(
            &policy.exemptions,
            Some(&usage),
            None,
            "2026-11-24".parse().unwrap(),
        )
        .sentences;
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(
            sentences[0].starts_with("exemption ended ended on 2020-01-01"),
            "{sentences:?}"
        );
        assert!(
            sentences[1].starts_with("exemption unused matched no violation"),
            "{sentences:?}"
        );
    }

    #[test]
    fn an_exemption_of_another_account_is_not_missed() {
        let policy = policy(r#"{ account = "333333333333" }"#, "\"any\"", "");
        let today = "2026-11-24".parse().unwrap();
        let count = |account: &str| {
            let account = AccountId::new(account);
            warnings(
                &policy.exemptions,
                Some(&Usage::default()),
                Some(&account),
                today,
            )
            .sentences
            .len()
        };
        assert_eq!((count("111111111111"), count("333333333333")), (0, 1));
    }

    /// The pattern, by the definition of its two wildcards.
    fn matches(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(('*', rest)), None) => matches(rest, text),
            (Some(('*', rest)), Some((_, tail))) => matches(rest, text) || matches(pattern, tail),
            (Some(_), None) => false,
            (Some((wanted, rest)), Some((has, tail))) => {
                (*wanted == '?' || wanted == has) && matches(rest, tail)
            }
        }
    }

    proptest! {
        #[test]
        fn a_glob_is_its_two_wildcards(pattern in "[ab*?\\[\\n]{0,8}", text in "[abA\\[*?\\n]{0,8}") {
            let by_definition = matches(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(Glob::new(&pattern).matches(&text), by_definition);
        }
    }
}
