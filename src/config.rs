//! `policy.toml`: the settings file. What is unknown or wrong is refused with file, line and key.

use std::fmt;

use jiff::civil::Date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

use crate::model::{AccountId, GroupId, VpcId};
use crate::policy::exemption::{Exemption, Glob, Problem, SourceMatch, TagMatch, TargetMatch};
use crate::policy::sensitivity::Sensitivity;
use crate::policy::{Reading, Settings, Severity};
use crate::text::utf16_len;

mod write;

pub use write::{WriteError, to_toml};

/// How many `RelatedRequirements` Security Hub takes, and how long each: `RelatedRequirementsList` and its member in
/// the service model of `securityhub`.
const MOST_REQUIREMENTS: usize = 32;
const LONGEST_REQUIREMENT: usize = 63;

/// A settings file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}{problem}")]
pub struct SettingsError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key, with `: ` behind, or nothing where there is none.
    key: String,
    problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reading: Option<ReadingWord>,
    max_open_ports: Option<Spanned<i64>>,
    severity: Option<Spanned<SeverityWord>>,
    related_requirements: Option<Spanned<Vec<Spanned<String>>>>,
    rule_ids: Option<bool>,
    sensitivity: Option<SensitivityTable>,
    #[serde(default)]
    exemption: Vec<ExemptionTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReadingWord {
    Reference,
    Effective,
}

/// How severe a violation may be.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum SeverityWord {
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Low => Self::Low,
            SeverityWord::Medium => Self::Medium,
            SeverityWord::High => Self::High,
            SeverityWord::Critical => Self::Critical,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SensitivityTable {
    tag: Spanned<String>,
    levels: Spanned<Vec<Spanned<String>>>,
    default: Spanned<String>,
    unseen: Option<Spanned<String>>,
    raise: Option<Spanned<Vec<SeverityWord>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExemptionTable {
    id: Spanned<String>,
    reason: Spanned<String>,
    owner: Option<Spanned<String>>,
    until: Option<Spanned<Datetime>>,
    target: Spanned<TargetTable>,
    source: Spanned<SourceValue>,
    #[serde(default)]
    self_service: bool,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { id = \"sg-…\" } or { tag = \"key=value\" }"
)]
struct TargetTable {
    id: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    vpc: Option<Spanned<String>>,
    account: Option<Spanned<String>>,
    tag: Option<Spanned<String>>,
}

/// A word, a group's id, or a table.
enum SourceValue {
    Text(String),
    Table(SourceTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    id: Spanned<String>,
    account: Spanned<String>,
}

impl<'de> Deserialize<'de> for SourceValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = SourceValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(SOURCES)
            }

            fn visit_str<E>(self, text: &str) -> Result<SourceValue, E> {
                Ok(SourceValue::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceValue, A::Error> {
                SourceTable::deserialize(MapAccessDeserializer::new(map)).map(SourceValue::Table)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

const SOURCES: &str =
    "\"self\", \"any\", \"same-account\", a group's id, or { id = \"sg-…\", account = \"…\" }";

/// Reads a settings file's text; a key that is not given keeps its default.
///
/// # Errors
/// When the text is not TOML, or has a key or a value that is not one of ours.
pub fn read(file_name: &str, text: &str) -> Result<Settings, SettingsError> {
    let at = |offset: usize, problem: String| SettingsError::at(file_name, text, offset, problem);
    let file: File = toml::from_str(text).map_err(|error| {
        at(
            error.span().map_or(text.len(), |span| span.start),
            error.message().to_owned(),
        )
    })?;
    let mut policy = Settings::default();
    if let Some(reading) = file.reading {
        policy.reading = match reading {
            ReadingWord::Reference => Reading::Reference,
            ReadingWord::Effective => Reading::Effective,
        };
    }
    if let Some(ports) = file.max_open_ports {
        policy.max_open_ports = u16::try_from(*ports.get_ref())
            .ok()
            .filter(|ports| *ports > 0)
            .ok_or_else(|| {
                at(
                    ports.span().start,
                    format!("{} is not between 1 and 65535", ports.get_ref()),
                )
            })?;
    }
    if let Some(severity) = file.severity {
        policy.severity = severity.into_inner().into();
    }
    if let Some(requirements) = file.related_requirements {
        let start = requirements.span().start;
        let requirements = requirements.into_inner();
        if requirements.len() > MOST_REQUIREMENTS {
            return Err(at(
                start,
                format!(
                    "{} items, Security Hub takes {MOST_REQUIREMENTS}",
                    requirements.len()
                ),
            ));
        }
        for requirement in &requirements {
            let value = requirement.get_ref();
            if value.trim().is_empty() || utf16_len(value) > LONGEST_REQUIREMENT {
                let problem = format!(
                    "{value:?} is not 1 to {LONGEST_REQUIREMENT} characters, as Security Hub takes them"
                );
                return Err(at(requirement.span().start, problem));
            }
        }
        policy.related_requirements = requirements.into_iter().map(Spanned::into_inner).collect();
    }
    policy.rule_ids = file.rule_ids.unwrap_or_default();
    let wrong = |wrong: Wrong| at(wrong.offset, wrong.problem);
    policy.sensitivity = file
        .sensitivity
        .map(SensitivityTable::read)
        .transpose()
        .map_err(wrong)?;
    for table in file.exemption {
        let id = table.id.span().start;
        let exemption = table.read().map_err(wrong)?;
        if policy
            .exemptions
            .iter()
            .any(|other| other.id == exemption.id)
        {
            let problem = format!("another exemption has the id {:?} too", exemption.id);
            return Err(at(id, problem));
        }
        policy.exemptions.push(exemption);
    }
    Ok(policy)
}

/// What is wrong, and where in the text.
struct Wrong {
    offset: usize,
    problem: String,
}

impl Wrong {
    fn at<T>(place: &Spanned<T>, problem: impl Into<String>) -> Self {
        Self {
            offset: place.span().start,
            problem: problem.into(),
        }
    }
}

impl SensitivityTable {
    fn read(self) -> Result<Sensitivity, Wrong> {
        if self.tag.get_ref().is_empty() {
            return Err(Wrong::at(&self.tag, "it is empty"));
        }
        let levels = self.levels.get_ref();
        if levels.is_empty() {
            return Err(Wrong::at(&self.levels, "it names no level"));
        }
        for (number, level) in levels.iter().enumerate() {
            let name = level.get_ref();
            let mut before = levels.iter().take(number);
            if name.is_empty() {
                return Err(Wrong::at(level, "a level without a name"));
            }
            if before.any(|other| other.get_ref().to_lowercase() == name.to_lowercase()) {
                return Err(Wrong::at(
                    level,
                    format!("{name:?} stands there twice: levels are compared without case"),
                ));
            }
        }
        let raise = match &self.raise {
            None => vec![Severity::Medium, Severity::High, Severity::Critical],
            Some(raise) => {
                let steps: Vec<Severity> =
                    raise.get_ref().iter().map(|word| (*word).into()).collect();
                if steps.is_empty() {
                    return Err(Wrong::at(raise, "it has no severity"));
                }
                if !steps.is_sorted() {
                    return Err(Wrong::at(
                        raise,
                        "it falls: a greater distance must not lower the severity",
                    ));
                }
                steps
            }
        };
        let unseen = match &self.unseen {
            Some(unseen) => unseen.get_ref().clone(),
            None => levels
                .first()
                .map(|level| level.get_ref().clone())
                .unwrap_or_default(),
        };
        let sensitivity = Sensitivity {
            tag: self.tag.into_inner(),
            levels: levels.iter().map(|level| level.get_ref().clone()).collect(),
            default: self.default.get_ref().clone(),
            unseen,
            raise,
        };
        for name in std::iter::once(&self.default).chain(&self.unseen) {
            if sensitivity.find(name.get_ref()).is_none() {
                return Err(Wrong::at(
                    name,
                    format!("{:?} is not one of the levels", name.get_ref()),
                ));
            }
        }
        Ok(sensitivity)
    }
}

impl ExemptionTable {
    fn read(self) -> Result<Exemption, Wrong> {
        let target = self.target.get_ref().read()?;
        let source = match self.source.get_ref() {
            SourceValue::Text(text) => SourceMatch::parse(text).ok_or_else(|| {
                Wrong::at(&self.source, format!("{text:?} is not one of {SOURCES}"))
            })?,
            SourceValue::Table(SourceTable { id, account }) => SourceMatch::Foreign {
                id: group_id(id)?,
                account: account_id(account)?,
            },
        };
        let owner = self.owner.as_ref();
        if let Some(owner) = owner.filter(|owner| owner.get_ref().trim().is_empty()) {
            return Err(Wrong::at(owner, "it is empty"));
        }
        let exemption = Exemption {
            id: self.id.get_ref().clone(),
            reason: self.reason.get_ref().clone(),
            owner: owner.map(|owner| owner.get_ref().clone()),
            until: self.until.as_ref().map(day).transpose()?,
            self_service: self.self_service,
            target,
            source,
        };
        match exemption.problem() {
            None => Ok(exemption),
            Some(Problem { key, text }) => Err(match key {
                "id" => Wrong::at(&self.id, text),
                "reason" => Wrong::at(&self.reason, text),
                "owner" => Wrong::at(owner.unwrap_or(&self.id), text),
                _ => Wrong::at(&self.target, text),
            }),
        }
    }
}

impl TargetTable {
    fn read(&self) -> Result<TargetMatch, Wrong> {
        let vpc = |text: &Spanned<String>| {
            VpcId::parse(text.get_ref())
                .ok_or_else(|| Wrong::at(text, format!("{:?} is not a VPC's id", text.get_ref())))
        };
        let tag = |text: &Spanned<String>| {
            TagMatch::parse(text.get_ref())
                .ok_or_else(|| Wrong::at(text, "a tag is \"key\" or \"key=value\""))
        };
        Ok(TargetMatch {
            id: self.id.as_ref().map(group_id).transpose()?,
            name: self.name.as_ref().map(|name| Glob::new(name.get_ref())),
            vpc: self.vpc.as_ref().map(vpc).transpose()?,
            account: self.account.as_ref().map(account_id).transpose()?,
            tag: self.tag.as_ref().map(tag).transpose()?,
        })
    }
}

fn group_id(text: &Spanned<String>) -> Result<GroupId, Wrong> {
    GroupId::parse(text.get_ref()).ok_or_else(|| {
        let problem = format!("{:?} is not a security group's id", text.get_ref());
        Wrong::at(text, problem)
    })
}

fn account_id(text: &Spanned<String>) -> Result<AccountId, Wrong> {
    let account = AccountId::new(text.get_ref().as_str());
    if account.is_well_formed() {
        Ok(account)
    } else {
        let problem = format!("{:?} is not an account's 12 digits", text.get_ref());
        Err(Wrong::at(text, problem))
    }
}

/// A day of TOML's own kind, without a time.
fn day(date: &Spanned<Datetime>) -> Result<Date, Wrong> {
    let Datetime {
        date: day,
        time,
        offset,
    } = date.get_ref();
    let is_day = time.is_none() && offset.is_none();
    day.filter(|_| is_day)
        .and_then(|day| day.to_string().parse().ok())
        .ok_or_else(|| {
            let problem = format!("{} is not a day such as 2027-06-30", date.get_ref());
            Wrong::at(date, problem)
        })
}

impl SettingsError {
    /// The error at a byte of the text: its line, and the key that the line gives.
    fn at(file: &str, text: &str, offset: usize, problem: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let mut table = None;
        let mut key = None;
        for line in text.lines().take(line) {
            match table_of(line) {
                Some(name) => (table, key) = (Some(name), None),
                None => key = key_of(line).or(key),
            }
        }
        // A key that the problem names itself is not the one before it.
        let key = key.filter(|key| !problem.contains(&format!("`{key}`")));
        let path: Vec<_> = table.into_iter().chain(key).collect();
        let key = (!path.is_empty()).then(|| format!("{}: ", path.join(".")));
        Self {
            file: file.to_owned(),
            line,
            key: key.unwrap_or_default(),
            problem: problem.replace('\n', "; "),
        }
    }
}

/// The table that a line of TOML begins.
fn table_of(line: &str) -> Option<&str> {
    let header = line.split('#').next()?.trim();
    let name = header.strip_prefix('[')?.strip_suffix(']')?;
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name)
        .trim();
    let name = unquoted(name);
    is_key(name).then_some(name)
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The key that a line of TOML gives a value to.
fn key_of(line: &str) -> Option<&str> {
    let (left, _) = line.split_once('=')?;
    let key = unquoted(left.trim());
    is_key(key).then_some(key)
}

fn unquoted(key: &str) -> &str {
    let within = |quote| key.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_settings_are_the_defaults() {
        assert_eq!(read("policy.toml", "# nothing\n"), Ok(Settings::default()));
    }

    #[test]
    fn settings_are_read_and_written_the_same() {
        let text = "reading = \"reference\"\nmax_open_ports = 1000\nseverity = \"HIGH\"\nrelated_requirements = []\nrule_ids = true\n";
        let policy = read("policy.toml", text).unwrap();
        assert_eq!(policy.max_open_ports, 1000);
        assert_eq!(to_toml(&policy).unwrap(), text);
        assert_eq!(
            read("x", &to_toml(&Settings::default()).unwrap()),
            Ok(Settings::default())
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_and_key() {
        for (text, says) in [
            ("max_ports = 1", "policy.toml:1: unknown field `max_ports`"),
            (
                "\n\nmax_open_ports = 0",
                "policy.toml:3: max_open_ports: 0 is not between 1 and 65535",
            ),
            (
                "max_open_ports = 65536",
                "policy.toml:1: max_open_ports: 65536 is not",
            ),
            (
                "max_open_ports = \"x\"",
                "policy.toml:1: max_open_ports: invalid type: string \"x\", expected i64",
            ),
            (
                "severity = \"low\"",
                "policy.toml:1: severity: unknown variant `low`",
            ),
            (
                "severity = \"INFORMATIONAL\"",
                "policy.toml:1: severity: unknown variant `INFORMATIONAL`, expected one of `LOW`, `MEDIUM`, `HIGH`, `CRITICAL`",
            ),
            (
                "reading = \"both\"",
                "policy.toml:1: reading: unknown variant `both`",
            ),
            (
                "related_requirements = [\n  \"a\",\n  \"\",\n]",
                "policy.toml:3: related_requirements: \"\" is not 1 to 63",
            ),
            (
                "related_requirements = \"a\"",
                "policy.toml:1: related_requirements: invalid type",
            ),
            (
                "reading = \"effective\"\n\"max_open_ports\" = 0",
                "policy.toml:2: max_open_ports: 0 is not",
            ),
            (
                "['sensitivity']\ntag = 3",
                "policy.toml:2: sensitivity.tag: invalid type",
            ),
            ("rule_ids = 1", "policy.toml:1: rule_ids: invalid type"),
            (
                "reading = \"effective\"\nreading = \"effective\"",
                "policy.toml:2:",
            ),
            ("severity = ", "policy.toml:1: severity: "),
        ] {
            let error = read("policy.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(says), "{text:?}: {error}");
        }
        let many = format!("related_requirements = [{}]", "\"a\",".repeat(33));
        let error = read("policy.toml", &many).unwrap_err().to_string();
        assert!(error.contains("33 items"), "{error}");
    }

    const SENSITIVITY: &str = "[sensitivity]\ntag = \"Data\"\nlevels = [\"public\", \"Internal\", \"restricted\"]\ndefault = \"internal\"\n";
    const EXEMPTION: &str =
        "[[exemption]]\nid = \"a\"\nreason = \"a reason that is long enough\"\n";

    /// The text with a line in place of the one that gives this key.
    fn with(text: &str, line: &str) -> String {
        let key = key_of(line).unwrap();
        let lines = text.lines().filter(|other| key_of(other) != Some(key));
        lines
            .chain([line])
            .map(|line| format!("{line}\n"))
            .collect()
    }

    #[test]
    fn the_example_loads_and_all_of_it_is_right() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policy.example.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let policy = read("policy.example.toml", &text).unwrap();
        let mut expected = Settings::default();
        expected.exemptions.clone_from(&policy.exemptions);
        assert_eq!(
            policy, expected,
            "the keys that are set have their defaults"
        );
        assert_eq!(policy.exemptions[0].id, "eks-cluster-self");
        // What is commented out is right too.
        let is_setting = |line: &str| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            table_of(line).is_some() || key_of(line).is_some()
        };
        let whole: String = text
            .lines()
            .filter(|line| is_setting(line))
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
            .collect();
        let policy = read("policy.example.toml", &whole).unwrap();
        assert!(policy.sensitivity.is_some());
        assert_eq!(policy.exemptions.len(), 3);
        assert_eq!(read("x", &to_toml(&policy).unwrap()), Ok(policy));
    }

    #[test]
    fn sensitivity_has_defaults_and_is_checked() {
        let policy = read("policy.toml", SENSITIVITY).unwrap();
        let sensitivity = policy.sensitivity.unwrap();
        assert_eq!(sensitivity.unseen, "public");
        assert_eq!(
            sensitivity.raise,
            [Severity::Medium, Severity::High, Severity::Critical]
        );
        for (line, says) in [
            ("tag = \"\"", "policy.toml:4: sensitivity.tag: it is empty"),
            (
                "levels = []",
                "policy.toml:4: sensitivity.levels: it names no level",
            ),
            (
                "levels = [\"a\", \"A\"]",
                "policy.toml:4: sensitivity.levels: \"A\" stands there twice",
            ),
            (
                "levels = [\"internal\", \"\"]",
                "policy.toml:4: sensitivity.levels: a level without",
            ),
            (
                "default = \"secret\"",
                "policy.toml:4: sensitivity.default: \"secret\" is not one of the levels",
            ),
            (
                "unseen = \"secret\"",
                "policy.toml:5: sensitivity.unseen: \"secret\" is not one of the levels",
            ),
            (
                "raise = []",
                "policy.toml:5: sensitivity.raise: it has no severity",
            ),
            (
                "raise = [\"HIGH\", \"LOW\"]",
                "policy.toml:5: sensitivity.raise: it falls",
            ),
            (
                "raise = [\"INFORMATIONAL\"]",
                "policy.toml:5: sensitivity.raise: unknown variant `INFORMATIONAL`",
            ),
            (
                "rise = []",
                "policy.toml:5: sensitivity: unknown field `rise`",
            ),
        ] {
            let error = read("policy.toml", &with(SENSITIVITY, line)).unwrap_err();
            assert!(error.to_string().starts_with(says), "{line}: {error}");
        }
        let error = read("policy.toml", "[sensitivity]\ntag = \"x\"").unwrap_err();
        let says = "policy.toml:1: sensitivity: missing field `levels`";
        assert!(error.to_string().starts_with(says), "{error}");
    }

    #[test]
    fn exemptions_are_checked() {
        let right = format!("{EXEMPTION}target = {{ vpc = \"vpc-0a\" }}\nsource = \"any\"\n");
        assert_eq!(read("x", &right).unwrap().exemptions.len(), 1);
        for (line, says) in [
            ("id = \"\"", "policy.toml:5: exemption.id: it is empty"),
            (
                "reason = \"too short\"",
                "policy.toml:5: exemption.reason: \"too short\" is shorter than 10",
            ),
            (
                "reason = \"            \"",
                "policy.toml:5: exemption.reason:",
            ),
            (
                "owner = \" \"",
                "policy.toml:6: exemption.owner: it is empty",
            ),
            ("until = \"2027-06-30\"", "policy.toml:6: exemption.until: "),
            ("until = 2027-02-30", "policy.toml:6: exemption.until: "),
            (
                "until = 2027-06-30T00:00:00Z",
                "policy.toml:6: exemption.until: 2027-06-30T00:00:00Z is not a day",
            ),
            (
                "target = {}",
                "policy.toml:5: exemption.target: it needs at least one",
            ),
            (
                "target = { id = \"vpc-1\" }",
                "policy.toml:5: exemption.target: \"vpc-1\" is not a security group's id",
            ),
            (
                "target = { vpc = \"sg-1\" }",
                "policy.toml:5: exemption.target: \"sg-1\" is not a VPC's id",
            ),
            (
                "target = { account = \"1234\" }",
                "policy.toml:5: exemption.target: \"1234\" is not an account's",
            ),
            (
                "target = { account = 123456789012 }",
                "policy.toml:5: exemption.target: invalid type",
            ),
            (
                "target = { vpc = \"vpc-0a\", tag = \"=x\" }",
                "policy.toml:5: exemption.target: a tag is",
            ),
            (
                "target = { vpcs = \"vpc-0a\" }",
                "policy.toml:5: exemption.target: unknown field `vpcs`",
            ),
            (
                "target = { name = \"web-*\" }",
                "policy.toml:5: exemption.target: it matches only by a name",
            ),
            (
                "target = { tag = \"team\" }",
                "policy.toml:5: exemption.target: it matches only by a tag outside aws:",
            ),
            (
                "target = { tag = \"team=a\", name = \"*\" }",
                "policy.toml:5: exemption.target: it matches only by a name and a tag",
            ),
            (
                "source = \"all\"",
                "policy.toml:5: exemption.source: \"all\" is not one of",
            ),
            (
                "source = 3",
                "policy.toml:5: exemption.source: invalid type",
            ),
            (
                "source = { id = \"sg-1\" }",
                "policy.toml:5: exemption.source: missing field `account`",
            ),
            (
                "source = { id = \"x\", account = \"111111111111\" }",
                "policy.toml:5: exemption.source: \"x\" is not a security group's",
            ),
            (
                "source = { account = \"111111111111\" }",
                "policy.toml:5: exemption.source: missing field `id`",
            ),
            (
                "source = { id = \"sg-1\", account = \"1\" }",
                "policy.toml:5: exemption.source: \"1\" is not an account's",
            ),
            (
                "self_service = \"yes\"",
                "policy.toml:6: exemption.self_service: invalid type",
            ),
            (
                "selfservice = true",
                "policy.toml:6: exemption: unknown field `selfservice`",
            ),
        ] {
            let error = read("policy.toml", &with(&right, line)).unwrap_err();
            assert!(error.to_string().starts_with(says), "{line}: {error}");
        }
        let error = read("policy.toml", &format!("{right}{right}")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "policy.toml:7: exemption.id: another exemption has the id \"a\" too"
        );
        for line in [
            "target = { name = \"web-*\", vpc = \"vpc-0a\" }",
            "target = { tag = \"aws:eks:cluster-name\" }",
            "target = { tag = \"team\", account = \"111111111111\" }",
        ] {
            read("policy.toml", &with(&right, line)).unwrap();
        }
        let by_name = with(&right, "target = { name = \"web-*\" }");
        read("policy.toml", &with(&by_name, "self_service = true")).unwrap();
    }
}
