//! `policy.toml`: the policy's settings. What is unknown or wrong is refused with file, line and key.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Severity;
use crate::text::length;

/// The policy with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Which of the two readings.
    pub reading: Reading,
    /// More ports than this, from one source, are a violation in the effective reading: 1 to 65535.
    pub max_open_ports: u16,
    /// Of a violation.
    pub severity: Severity,
    /// The requirements that a finding names under `Compliance.RelatedRequirements`.
    pub related_requirements: Vec<String>,
}

/// What counts as a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Exactly the published detection.
    Reference,
    /// What it fails, and what opens as much in another spelling.
    Effective,
}

/// How many `RelatedRequirements` Security Hub takes, and how long each: `RelatedRequirementsList` and its member in
/// the service model of `securityhub`.
const MOST_REQUIREMENTS: usize = 32;
const LONGEST_REQUIREMENT: usize = 63;

impl Default for Policy {
    fn default() -> Self {
        Self {
            reading: Reading::Effective,
            max_open_ports: 65_000,
            severity: Severity::Low,
            related_requirements: [
                "PCI DSS v4.0.1/1.3.1",
                "PCI DSS v3.2.1/1.2.1",
                "NIST.800-53.r5 SC-7",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

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
    reading: Option<Reading>,
    max_open_ports: Option<Spanned<i64>>,
    severity: Option<Spanned<Severity>>,
    related_requirements: Option<Spanned<Vec<Spanned<String>>>>,
}

impl Policy {
    /// Reads a settings file's text; a key that is not given keeps its default.
    ///
    /// # Errors
    /// When the text is not TOML, or has a key or a value that is not one of ours.
    pub fn from_toml(file_name: &str, text: &str) -> Result<Self, SettingsError> {
        let at =
            |offset: usize, problem: String| SettingsError::at(file_name, text, offset, problem);
        let file: File = toml::from_str(text).map_err(|error| {
            at(
                error.span().map_or(text.len(), |span| span.start),
                error.message().to_owned(),
            )
        })?;
        let mut policy = Self::default();
        if let Some(reading) = file.reading {
            policy.reading = reading;
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
            if *severity.get_ref() == Severity::Informational {
                return Err(at(
                    severity.span().start,
                    "a violation is LOW, MEDIUM, HIGH or CRITICAL".to_owned(),
                ));
            }
            policy.severity = severity.into_inner();
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
                if value.trim().is_empty() || length(value) > LONGEST_REQUIREMENT {
                    let problem = format!(
                        "{value:?} is not 1 to {LONGEST_REQUIREMENT} characters, as Security Hub takes them"
                    );
                    return Err(at(requirement.span().start, problem));
                }
            }
            policy.related_requirements =
                requirements.into_iter().map(Spanned::into_inner).collect();
        }
        Ok(policy)
    }

    /// The effective settings as a settings file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

impl SettingsError {
    /// The error at a byte of the text: its line, and the key that the line gives.
    fn at(file: &str, text: &str, offset: usize, problem: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let key = text.lines().take(line).filter_map(key_of).last();
        let key = key
            .filter(|key| !problem.contains(&format!("`{key}`")))
            .map(|key| format!("{key}: "));
        Self {
            file: file.to_owned(),
            line,
            key: key.unwrap_or_default(),
            problem: problem.replace('\n', "; "),
        }
    }
}

/// The key that a line of TOML gives a value to.
fn key_of(line: &str) -> Option<&str> {
    let (left, _) = line.split_once('=')?;
    let key = left.trim();
    let is_key = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_key.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_settings_are_the_defaults() {
        assert_eq!(
            Policy::from_toml("policy.toml", "# nothing\n"),
            Ok(Policy::default())
        );
    }

    #[test]
    fn settings_are_read_and_written_the_same() {
        let text = "reading = \"reference\"\nmax_open_ports = 1000\nseverity = \"HIGH\"\nrelated_requirements = []\n";
        let policy = Policy::from_toml("policy.toml", text).unwrap();
        assert_eq!(policy.max_open_ports, 1000);
        assert_eq!(policy.to_toml(), text);
        assert_eq!(
            Policy::from_toml("x", &Policy::default().to_toml()),
            Ok(Policy::default())
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
                "policy.toml:1: severity: a violation is LOW",
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
                "[sensitivity]\ntag = \"x\"",
                "policy.toml:1: unknown field `sensitivity`",
            ),
            (
                "[[exemption]]\nid = \"x\"",
                "policy.toml:1: unknown field `exemption`",
            ),
            ("rule_ids = true", "policy.toml:1: unknown field `rule_ids`"),
            (
                "reading = \"effective\"\nreading = \"effective\"",
                "policy.toml:2:",
            ),
            ("severity = ", "policy.toml:1: severity: "),
        ] {
            let error = Policy::from_toml("policy.toml", text)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(says), "{text:?}: {error}");
        }
        let many = format!("related_requirements = [{}]", "\"a\",".repeat(33));
        let error = Policy::from_toml("policy.toml", &many)
            .unwrap_err()
            .to_string();
        assert!(error.contains("33 items"), "{error}");
    }
}
