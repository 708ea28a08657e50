//! What the commands on a live account have in common.

use std::sync::Arc;

use sg_trust::aws::Account;
use sg_trust::finding::Context;
use sg_trust::lambda::environment;
use sg_trust::policy::Settings;

/// What all findings of the account have in common, as the function in this environment would publish them.
pub(crate) fn context(account: &Account, settings: &Settings) -> anyhow::Result<Arc<Context>> {
    Ok(Arc::new(Context {
        scope: account.scope().clone(),
        passed: environment::passed(environment::of_process)?,
        related_requirements: settings.related_requirements.clone(),
    }))
}
