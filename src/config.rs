//! `policy.toml`: the settings file.
//!
//! What is unknown or wrong is an error with file, line and key, and there are no settings then. An exemption that is
//! written well but excuses more than it may is refused alone: it does not hold, and the rest of the file counts. A
//! function that would not start would leave every group unevaluated, which is worse.

use toml::Spanned;

use crate::policy::{Reading, Settings, Severity};
use crate::text::utf16_len;

mod document;
mod exemption;
mod sensitivity;
mod tables;
mod write;

pub use document::SettingsError;
use document::{Document, Wrong};
use exemption::Candidate;
use tables::{File, Whole};
pub use write::{WriteError, allow_line, to_toml};

/// How many `RelatedRequirements` Security Hub takes, and how long each: `RelatedRequirementsList` and its member in
/// the service model of `securityhub`.
const MOST_REQUIREMENTS: usize = 32;
const LONGEST_REQUIREMENT: usize = 63;

/// What a settings file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsFile {
    pub settings: Settings,
    /// Exemptions that do not hold: they are not among the settings.
    pub refused: Vec<RefusedExemption>,
}

/// An exemption that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedExemption {
    /// The exemption's id.
    pub id: String,
    /// Why, each with file, line and key: at least one.
    pub reasons: Vec<SettingsError>,
}

/// Reads a settings file's text; a key that is not given keeps its default.
///
/// # Errors
/// When the text is not TOML, or has a key or a value that is not one of ours.
pub fn read(file_name: &str, text: &str) -> Result<SettingsFile, SettingsError> {
    let document = Document::new(file_name, text);
    let file: File = toml::from_str(text).map_err(|error| document.syntax_error(&error))?;
    let (settings, refused) = settings(file).map_err(|wrong| document.error(wrong))?;
    let refused = refused
        .into_iter()
        .map(|(id, reasons)| RefusedExemption {
            id,
            reasons: reasons
                .into_iter()
                .map(|wrong| document.error(wrong))
                .collect(),
        })
        .collect();
    Ok(SettingsFile { settings, refused })
}

/// The settings, and the exemptions that are refused with the reasons.
type Read = (Settings, Vec<(String, Vec<Wrong>)>);

fn settings(file: File) -> Result<Read, Wrong> {
    let mut settings = Settings::default();
    if let Some(reading) = file.reading {
        settings.reading = self::reading(&reading)?;
    }
    if let Some(ports) = file.max_open_ports {
        settings.max_open_ports = max_open_ports(&ports)?;
    }
    if let Some(word) = file.severity {
        settings.severity = severity(&word)?;
    }
    if let Some(requirements) = file.related_requirements {
        settings.related_requirements = related_requirements(&requirements)?;
    }
    if let Some(rule_ids) = file.rule_ids {
        settings.rule_ids = rule_ids;
    }
    settings.sensitivity = file
        .sensitivity
        .map(sensitivity::SensitivityTable::read)
        .transpose()?;
    let mut ids: Vec<String> = Vec::new();
    let mut refused = Vec::new();
    for table in file.exemption {
        let id = table.id.clone();
        if ids.contains(id.get_ref()) {
            let problem = format!("another exemption has the id {:?} too", id.get_ref());
            return Err(Wrong::at(&id, problem));
        }
        ids.push(id.get_ref().clone());
        match table.read()? {
            Candidate::Holds(exemption) => settings.exemptions.push(*exemption),
            Candidate::Refused(reasons) => refused.push((id.into_inner(), reasons)),
        }
    }
    Ok((settings, refused))
}

fn reading(word: &Spanned<String>) -> Result<Reading, Wrong> {
    [Reading::Effective, Reading::Reference]
        .into_iter()
        .find(|reading| reading.as_str() == word.get_ref())
        .ok_or_else(|| {
            let problem = format!("{:?} is not \"effective\" or \"reference\"", word.get_ref());
            Wrong::at(word, problem)
        })
}

fn max_open_ports(value: &Spanned<Whole>) -> Result<u16, Wrong> {
    let Whole(number) = value.get_ref();
    u16::try_from(*number)
        .ok()
        .filter(|ports| *ports > 0)
        .ok_or_else(|| Wrong::at(value, format!("{number} is not between 1 and 65535")))
}

/// The severity of a violation.
fn severity(word: &Spanned<String>) -> Result<Severity, Wrong> {
    [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ]
    .into_iter()
    .find(|severity| severity.as_str() == word.get_ref())
    .ok_or_else(|| {
        let problem = format!("{:?} is not LOW, MEDIUM, HIGH or CRITICAL", word.get_ref());
        Wrong::at(word, problem)
    })
}

fn related_requirements(
    requirements: &Spanned<Vec<Spanned<String>>>,
) -> Result<Vec<String>, Wrong> {
    let count = requirements.get_ref().len();
    if count > MOST_REQUIREMENTS {
        let problem = format!("{count} items, Security Hub takes {MOST_REQUIREMENTS}");
        return Err(Wrong::at(requirements, problem));
    }
    let requirement = |text: &Spanned<String>| {
        let value = text.get_ref();
        if value.trim().is_empty() || utf16_len(value) > LONGEST_REQUIREMENT {
            let problem = format!(
                "{value:?} is not 1 to {LONGEST_REQUIREMENT} characters, as Security Hub takes them"
            );
            return Err(Wrong::at(text, problem));
        }
        Ok(value.clone())
    };
    requirements.get_ref().iter().map(requirement).collect()
}

#[cfg(test)]
mod tests;
