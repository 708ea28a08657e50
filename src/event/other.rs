//! Documents of other kinds that reach the function or the command line by mistake: what each is, and what to do.

use serde_json::{Map, Value};

/// A member that only this kind of document has, and what the document is.
const DOCUMENTS: [(&str, &str); 6] = [
    (
        "SecurityGroups",
        "the answer of describe-security-groups: give it to `sg-trust check`, or to `replay --groups`",
    ),
    (
        "SecurityGroupRules",
        "the answer of describe-security-group-rules: rules without their groups cannot be evaluated",
    ),
    (
        "Findings",
        "the answer of Security Hub's get-findings: give the ids of the groups in {\"action\":\"evaluate\",\"group_ids\":[…]}",
    ),
    (
        "awslogs",
        "a subscription of CloudWatch Logs: send CloudTrail's calls through EventBridge",
    ),
    (
        "s3ObjectKey",
        "a notification that CloudTrail delivered a log file, which is not read: send CloudTrail's calls through EventBridge",
    ),
    (
        "SubscribeURL",
        "the confirmation of a subscription to an SNS topic: confirm it, and the notifications follow",
    ),
];

const S3: &str = "a notification of S3 about an object, which is not read: send CloudTrail's calls through EventBridge, or give \
     the contents of a log file to `sg-trust replay`";

pub(super) const RECORD: &str = "a record of another service than SQS, SNS and CloudTrail";

/// The name of a document that is no event.
pub(super) fn name(document: &Map<String, Value>) -> Option<&'static str> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    match text("eventSource") {
        Some("aws:s3") => return Some(S3),
        // Records of event sources of Lambda: CloudTrail names services by their domain.
        Some(service) if service.starts_with("aws:") => return Some(RECORD),
        _ => {}
    }
    if text("Event") == Some("s3:TestEvent") {
        return Some(S3);
    }
    let known = DOCUMENTS
        .iter()
        .find(|(member, _)| document.contains_key(*member));
    known.map(|(_, what)| *what)
}
