//! The members of an event, in OCSF's names.

use serde::Serialize;

use crate::report::json::GroupViolation;

/// A Compliance Finding.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    pub(super) activity_id: u8,
    pub(super) activity_name: &'static str,
    pub(super) category_uid: u8,
    pub(super) category_name: &'static str,
    pub(super) class_uid: u16,
    pub(super) class_name: &'static str,
    pub(super) type_uid: u32,
    pub(super) type_name: String,
    pub(super) severity_id: u8,
    pub(super) severity: &'static str,
    pub(super) status_id: u8,
    pub(super) status: &'static str,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) time_dt: String,
    pub(super) message: String,
    pub(super) metadata: Metadata,
    pub(super) cloud: Cloud<'a>,
    pub(super) compliance: Compliance<'a>,
    pub(super) finding_info: FindingInfo,
    pub(super) remediation: Remediation,
    pub(super) resources: Vec<Resource<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) evidences: Vec<Evidence<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Metadata {
    pub(super) version: &'static str,
    pub(super) profiles: [&'static str; 2],
    pub(super) event_code: &'static str,
    pub(super) product: Product,
}

#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) name: &'static str,
    pub(super) vendor_name: &'static str,
    pub(super) version: &'static str,
    pub(super) uid: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Cloud<'a> {
    pub(super) provider: &'static str,
    pub(super) cloud_partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: Account<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Account<'a> {
    pub(super) uid: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) type_id: u8,
}

#[derive(Debug, Serialize)]
pub(super) struct Compliance<'a> {
    pub(super) control: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) requirements: &'a [String],
    pub(super) status: &'static str,
    pub(super) status_id: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) status_details: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FindingInfo {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) desc: String,
    pub(super) types: [&'static str; 2],
    pub(super) attacks: [Attack; 1],
    pub(super) last_seen_time: i64,
    pub(super) last_seen_time_dt: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Attack {
    pub(super) tactic: Uid,
    pub(super) technique: Uid,
}

#[derive(Debug, Serialize)]
pub(super) struct Uid {
    pub(super) uid: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Remediation {
    pub(super) desc: &'static str,
    pub(super) references: [&'static str; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct Resource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) region: &'a str,
    pub(super) cloud_partition: &'a str,
    pub(super) role_id: u8,
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Tag<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Evidence<'a> {
    pub(super) data: GroupViolation<'a>,
}
