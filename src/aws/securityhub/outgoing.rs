//! Findings on their way to BatchImportFindings.

use serde_json::value::RawValue;

use crate::engine::store::Refusal;
use crate::finding::Finding;
use crate::model::GroupId;
use crate::report::asff;

/// Findings of one call, and their bytes: AWS takes 100, and 6 MB
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const CALL_FINDINGS: usize = 100;
const CALL_BYTES: usize = 5_000_000;

/// A finding as it is sent: what was rendered and checked, to the letter.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) group_id: GroupId,
    pub(super) id: String,
    pub(super) json: Box<RawValue>,
}

impl Outgoing {
    pub(super) fn of(finding: &Finding) -> Result<Self, Refusal> {
        let group_id = &finding.group_id;
        let refusal = |message: String| Refusal {
            group_id: Some(group_id.clone()),
            id: finding.id(),
            code: "InvalidFinding".to_owned(),
            message,
            is_retryable: false,
        };
        let asff = asff::render(finding).map_err(|invalid| refusal(invalid.faults.join(", ")))?;
        let json =
            serde_json::value::to_raw_value(&asff).map_err(|error| refusal(error.to_string()))?;
        Ok(Self {
            group_id: group_id.clone(),
            id: asff.id,
            json,
        })
    }
}

/// Findings in calls of no more than AWS takes.
pub(super) fn calls(findings: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut calls: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for finding in findings {
        let size = finding.json.get().len();
        match calls.last_mut() {
            Some(call) if call.len() < CALL_FINDINGS && bytes + size <= CALL_BYTES => {
                bytes += size;
                call.push(finding);
            }
            _ => {
                bytes = size;
                calls.push(vec![finding]);
            }
        }
    }
    calls
}
