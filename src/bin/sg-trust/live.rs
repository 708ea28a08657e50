//! What the commands on the live account have in common: the account, with the operator's own credentials.

use std::sync::Arc;

use sg_trust::aws::Account;
use sg_trust::finding::{Context, Passed};
use sg_trust::policy::Settings;

/// What all findings of the account have in common.
pub(crate) fn context(account: &Account, policy: &Settings) -> Arc<Context> {
    Arc::new(Context {
        scope: account.scope().clone(),
        passed: Passed::default(),
        related_requirements: policy.related_requirements.clone(),
    })
}
