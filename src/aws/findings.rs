//! The three calls of Security Hub, with the few members that the product needs.
//!
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>,
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>,
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DescribeHub.html>

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::hub_client::{HubClient, call};
use super::{CallError, Timeouts};

/// Findings of one answer of GetFindings: the most.
pub(super) const MOST: u32 = 100;

/// A page of findings, whoever's they are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    /// An answer that does not tell its findings, if only that there are none, is no answer.
    pub(super) findings: Vec<ReadFinding>,
    pub(super) next_token: Option<String>,
}

/// The members of a published finding that the product reads.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReadFinding {
    pub(super) id: Option<String>,
    pub(super) product_arn: Option<String>,
    pub(super) generator_id: Option<String>,
    pub(super) aws_account_id: Option<String>,
    pub(super) record_state: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) compliance: Option<ReadCompliance>,
    pub(super) product_fields: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReadCompliance {
    pub(super) status: Option<String>,
}

/// The outcome of an import.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Imported {
    pub(super) success_count: Option<u32>,
    pub(super) failed_findings: Option<Vec<NotImported>>,
}

/// A finding that was not taken.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct NotImported {
    pub(super) id: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetFindings<'a> {
    filters: &'a Value,
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchImportFindings<'a, F> {
    findings: &'a [F],
}

impl HubClient {
    /// One page of the findings that the filters let through.
    pub(super) async fn get_findings(
        &self,
        filters: &Value,
        most: u32,
        after: Option<String>,
        timeouts: Timeouts,
    ) -> Result<Page, CallError> {
        let call = call("GetFindings", "POST", "/findings");
        let request = GetFindings {
            filters,
            max_results: most,
            next_token: after,
        };
        self.call(call, json(&request)?, timeouts).await
    }

    /// Sends findings, and says what became of them.
    pub(super) async fn import_findings(
        &self,
        findings: &[impl Serialize],
        timeouts: Timeouts,
    ) -> Result<Imported, CallError> {
        let call = call("BatchImportFindings", "POST", "/findings/import");
        let request = BatchImportFindings { findings };
        self.call(call, json(&request)?, timeouts).await
    }

    /// Whether Security Hub CSPM answers for the account: an error says why not.
    pub(super) async fn describe_hub(&self, timeouts: Timeouts) -> Result<(), CallError> {
        let call = call("DescribeHub", "GET", "/accounts");
        let hub: Map<String, Value> = self.call(call, Vec::new(), timeouts).await?;
        if hub.contains_key("HubArn") {
            Ok(())
        } else {
            Err(CallError::Unexpected(
                "an answer without a HubArn".to_owned(),
            ))
        }
    }
}

fn json(request: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(request).map_err(|error| CallError::Request {
        source: error.into(),
    })
}
