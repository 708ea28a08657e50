//! What users set: the reading, how many ports are too many, severities, sensitivity, exemptions. The settings file is
//! read and written by [`config`](crate::config).

use super::Severity;
use super::exemption::Exemption;
use super::sensitivity::Sensitivity;

/// The policy's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub reading: Reading,
    /// More ports than this, from one source, are a violation in the effective reading: 1 to 65535.
    pub max_open_ports: u16,
    /// The severity of a violation between equals.
    pub severity: Severity,
    /// The requirements that a finding names under `Compliance.RelatedRequirements`.
    pub related_requirements: Vec<String>,
    /// Whether findings name the rules behind a violation by their ids, which takes one more call.
    pub rule_ids: bool,
    /// The sensitivity of groups; without it every group counts the same.
    pub sensitivity: Option<Sensitivity>,
    /// Accepted risks.
    pub exemptions: Vec<Exemption>,
}

/// The definition of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Exactly the published detection.
    Reference,
    /// The published detection, and permissions that open as much in another spelling.
    Effective,
}

impl Reading {
    /// The word in the settings file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Effective => "effective",
        }
    }
}

impl Default for Settings {
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
            rule_ids: false,
            sensitivity: None,
            exemptions: Vec::new(),
        }
    }
}
