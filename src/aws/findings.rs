//! GetFindings and BatchImportFindings, in the product's own few words: see [`Call`].
//!
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>,
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>

use std::collections::HashMap;

use aws_sdk_securityhub::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calls::Call;
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

/// What the product needs of a finding that stands.
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

/// What became of findings that were sent.
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
struct Get<'a> {
    filters: &'a Value,
    max_results: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Import<'a, F> {
    findings: &'a [F],
}

/// One page of the findings that the filters let through.
pub(super) async fn get(
    client: &Client,
    filters: &Value,
    most: u32,
    after: Option<String>,
    patience: Timeouts,
) -> Result<Page, CallError> {
    let call = Call {
        name: "GetFindings",
        path: "/findings",
    };
    let request = Get {
        filters,
        max_results: most,
        next_token: after,
    };
    call.make(client, &request, patience).await
}

/// Sends findings: what became of them.
pub(super) async fn import(
    client: &Client,
    findings: &[impl Serialize],
    patience: Timeouts,
) -> Result<Imported, CallError> {
    let call = Call {
        name: "BatchImportFindings",
        path: "/findings/import",
    };
    call.make(client, &Import { findings }, patience).await
}
