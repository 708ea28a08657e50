//! What users set: which reading, how many ports are too many, severities, sensitivity, exemptions.

use serde::{Deserialize, Serialize};

use super::Severity;
use super::exemption::Exemption;
use super::sensitivity::Sensitivity;

/// The policy with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// FindingFilter of the two readings.
    pub reading: Reading,
    /// More ports than this, from one source, are a violation in the effective reading: 1 to 65535.
    pub max_open_ports: u16,
    /// Of a violation.
    pub severity: Severity,
    /// The requirements that a finding names under `Compliance.RelatedRequirements`.
    pub related_requirements: Vec<String>,
    /// Are the rules behind a violation named by their ids? That takes one more call.
    pub rule_ids: bool,
    /// How sensitive groups are; without it every group counts the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Accepted risks.
    #[serde(rename = "exemption", skip_serializing_if = "Vec::is_empty")]
    pub exemptions: Vec<Exemption>,
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
