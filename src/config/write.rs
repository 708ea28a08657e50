//! Settings as a settings file.

use serde::Serialize;
use toml::value::Datetime;

use crate::policy::Settings;
use crate::policy::exemption::{Allow, AllowedTraffic, Exemption, SourceMatch, TargetMatch};
use crate::policy::sensitivity::Sensitivity;

/// Settings that cannot be written as TOML.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the settings cannot be written as TOML")]
    Toml(#[from] toml::ser::Error),
    #[error("the day {0} cannot be written as TOML")]
    Day(jiff::civil::Date),
}

#[derive(Serialize)]
struct File<'a> {
    reading: &'static str,
    max_open_ports: u16,
    severity: &'static str,
    related_requirements: &'a [String],
    rule_ids: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensitivity: Option<SensitivityTable<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exemption: Vec<ExemptionTable<'a>>,
}

#[derive(Serialize)]
struct SensitivityTable<'a> {
    tag: &'a str,
    levels: &'a [String],
    default: &'a str,
    unseen: &'a str,
    raise: Vec<&'static str>,
}

#[derive(Serialize)]
struct ExemptionTable<'a> {
    id: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Datetime>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    self_service: bool,
    target: TargetTable<'a>,
    source: SourceValue<'a>,
    allow: AllowValue<'a>,
}

#[derive(Serialize)]
struct TargetTable<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SourceValue<'a> {
    Word(&'a str),
    Foreign { id: &'a str, account: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum AllowValue<'a> {
    Word(&'static str),
    One(AllowTable<'a>),
    Several(Vec<AllowTable<'a>>),
}

#[derive(Serialize)]
struct AllowTable<'a> {
    protocol: &'a str,
    ports: &'a [(u16, u16)],
}

/// The effective settings as a settings file.
///
/// # Errors
/// When the TOML library refuses them.
pub fn to_toml(settings: &Settings) -> Result<String, WriteError> {
    let Settings {
        reading,
        max_open_ports,
        severity,
        related_requirements,
        rule_ids,
        sensitivity,
        exemptions,
    } = settings;
    Ok(toml::to_string(&File {
        reading: reading.as_str(),
        max_open_ports: *max_open_ports,
        severity: severity.as_str(),
        related_requirements,
        rule_ids: *rule_ids,
        sensitivity: sensitivity.as_ref().map(sensitivity_table),
        exemption: exemptions
            .iter()
            .map(exemption_table)
            .collect::<Result<_, _>>()?,
    })?)
}

fn sensitivity_table(sensitivity: &Sensitivity) -> SensitivityTable<'_> {
    let Sensitivity {
        tag,
        levels,
        default,
        unseen,
        raise,
    } = sensitivity;
    SensitivityTable {
        tag,
        levels,
        default,
        unseen,
        raise: raise.iter().map(|severity| severity.as_str()).collect(),
    }
}

fn exemption_table(exemption: &Exemption) -> Result<ExemptionTable<'_>, WriteError> {
    let Exemption {
        id,
        reason,
        owner,
        until,
        self_service,
        target,
        source,
        allow,
    } = exemption;
    let until = until.map(|day| {
        day.to_string()
            .parse()
            .map_err(|_: toml::value::DatetimeParseError| WriteError::Day(day))
    });
    Ok(ExemptionTable {
        id,
        reason,
        owner: owner.as_deref(),
        until: until.transpose()?,
        self_service: *self_service,
        target: target_table(target),
        source: source_value(source),
        allow: allow_value(allow),
    })
}

fn target_table(target: &TargetMatch) -> TargetTable<'_> {
    let TargetMatch {
        id,
        name,
        vpc,
        account,
        tag,
        default,
    } = target;
    TargetTable {
        id: id.as_ref().map(|id| id.as_str()),
        name: name.as_ref().map(|name| name.as_str()),
        vpc: vpc.as_ref().map(|vpc| vpc.as_str()),
        account: account.as_ref().map(|account| account.as_str()),
        tag: tag.as_ref().map(ToString::to_string),
        default: *default,
    }
}

fn source_value(source: &SourceMatch) -> SourceValue<'_> {
    SourceValue::Word(match source {
        SourceMatch::Itself => "self",
        SourceMatch::Any => "any",
        SourceMatch::SameAccount => "same-account",
        SourceMatch::Id(id) => id.as_str(),
        SourceMatch::Foreign { id, account } => {
            return SourceValue::Foreign {
                id: id.as_str(),
                account: account.as_str(),
            };
        }
    })
}

fn allow_value(allow: &Allow) -> AllowValue<'_> {
    match allow {
        Allow::AllTraffic => AllowValue::Word("all-traffic"),
        Allow::Traffic(traffic) => match traffic.as_slice() {
            [one] => AllowValue::One(allow_table(one)),
            several => AllowValue::Several(several.iter().map(allow_table).collect()),
        },
    }
}

fn allow_table(traffic: &AllowedTraffic) -> AllowTable<'_> {
    AllowTable {
        protocol: traffic.protocol.as_str(),
        ports: traffic.ports.intervals(),
    }
}

/// The line of an exemption that allows this: `allow = { protocol = "tcp", ports = [[1024, 65535]] }`.
///
/// # Errors
/// When the TOML library refuses it.
pub fn allow_line(allow: &Allow) -> Result<String, WriteError> {
    let mut line = "allow = ".to_owned();
    allow_value(allow).serialize(toml::ser::ValueSerializer::new(&mut line))?;
    Ok(line)
}
