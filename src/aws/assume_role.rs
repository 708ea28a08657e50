//! The credentials of member accounts: one role of a fixed name in each, assumed with the function's own.
//!
//! Nothing is shared between accounts but the HTTP client: credentials, clients and what is left of Security Hub's rates
//! are each account's own. Credentials are kept from one invocation to the next until [`RENEWAL`] before their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::rate_limit::HubLimits;
use super::{CallError, Clients, describe};
use crate::engine::MemberError;
use crate::model::{AccountId, Partition, Scope};

/// How long before their end credentials are renewed: no call of an invocation must outlive them.
const RENEWAL: Duration = Duration::from_secs(5 * 60);
/// The name of the session, which the member account's CloudTrail shows.
const SESSION: &str = "sg-trust";
/// Longest name of a role, and longest path with its slashes
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
const NAME: usize = 64;
const PATH: usize = 512;

/// The role that is assumed in each member account, by its path and name: `security/sg-trust-member`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRole(String);

impl MemberRole {
    /// Path and name without a slash before and after; none if a role cannot have them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
        // What a path may hold beside that would need quotation in an ARN.
        let is_plain = |part: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
            !part.is_empty() && part.bytes().all(is_plain)
        };
        let fits = name.len() <= NAME && path.len() + 2 <= PATH;
        (fits && text.split('/').all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The role's ARN in an account.
    #[must_use]
    pub fn arn(&self, partition: &Partition, account: &AccountId) -> String {
        format!("arn:{partition}:iam::{account}:role/{}", self.0)
    }
}

/// Hands out clients of member accounts.
#[derive(Debug)]
pub struct MemberAccounts {
    own: Clients,
    role: MemberRole,
    known: Mutex<HashMap<AccountId, Known>>,
}

/// What is kept of an account.
#[derive(Debug, Clone)]
struct Known {
    role: AssumedRole,
    limits: HubLimits,
}

impl MemberAccounts {
    /// Member accounts that are reached with these clients' credentials.
    #[must_use]
    pub fn new(own: Clients, role: MemberRole) -> Self {
        Self {
            own,
            role,
            known: Mutex::default(),
        }
    }

    /// Clients with the credentials of the scope's account.
    ///
    /// # Errors
    /// When its role cannot be assumed.
    pub async fn clients(&self, scope: &Scope) -> Result<Clients, MemberError> {
        let Known { role, limits } = self.known(scope);
        if let Err(error) = role.credentials().await {
            return Err(refusal(&scope.account, &role.0.arn, &error));
        }
        let credentials = SharedCredentialsProvider::new(role);
        Ok(self.own.with_credentials(credentials, limits))
    }

    /// Forgets an account's credentials: they may be of a role that is no more.
    pub fn forget(&self, account: &AccountId) {
        if let Some(known) = self.all().get_mut(account) {
            known.role = self.assumed(known.role.0.arn.clone(), account);
        }
    }

    fn known(&self, scope: &Scope) -> Known {
        let mut all = self.all();
        // Those of accounts that have not been worked for since an hour would only fill the memory.
        all.retain(|account, known| account == &scope.account || !known.role.is_over());
        let known = all.entry(scope.account.clone()).or_insert_with(|| Known {
            role: self.assumed(
                self.role.arn(&scope.partition, &scope.account),
                &scope.account,
            ),
            limits: HubLimits::new(Instant::now()),
        });
        known.clone()
    }

    fn assumed(&self, arn: String, account: &AccountId) -> AssumedRole {
        AssumedRole::new(self.own.sts(), arn, account.clone())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<AccountId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a role cannot be assumed, with what to do.
pub(super) fn refusal(account: &AccountId, arn: &str, error: &CallError) -> MemberError {
    let text = format!(
        "account {account}: sts AssumeRole of {arn}: {}",
        describe(error)
    );
    if error.is_retryable() {
        MemberError::Unavailable(text)
    } else if error.code() == Some("AccessDenied") {
        MemberError::Refused(format!(
            "{text}: the role is not there or does not trust these credentials (infra/member.yaml makes it), these \
             credentials may not assume it, or the account is suspended"
        ))
    } else {
        MemberError::Refused(text)
    }
}

/// A role whose credentials are kept until shortly before their end.
#[derive(Debug, Clone)]
pub(super) struct AssumedRole(Arc<Role>);

#[derive(Debug)]
struct Role {
    sts: aws_sdk_sts::Client,
    arn: String,
    account: AccountId,
    credentials: tokio::sync::Mutex<Option<Credentials>>,
}

impl AssumedRole {
    pub(super) fn new(sts: aws_sdk_sts::Client, arn: String, account: AccountId) -> Self {
        Self(Arc::new(Role {
            sts,
            arn,
            account,
            credentials: tokio::sync::Mutex::default(),
        }))
    }

    /// The credentials: those of before, or new ones.
    pub(super) async fn credentials(&self) -> Result<Credentials, CallError> {
        let mut kept = self.0.credentials.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| is_fresh(kept)) {
            return Ok(credentials.clone());
        }
        let credentials = self.0.assume().await?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }

    /// Whether there are no credentials to keep: none yet, or old ones. While they are being got they are kept.
    fn is_over(&self) -> bool {
        let kept = self.0.credentials.try_lock();
        kept.is_ok_and(|kept| !kept.as_ref().is_some_and(is_fresh))
    }
}

fn is_fresh(credentials: &Credentials) -> bool {
    credentials
        .expiry()
        .is_some_and(|end| end > SystemTime::now() + RENEWAL)
}

impl Role {
    async fn assume(&self) -> Result<Credentials, CallError> {
        let answer = self
            .sts
            .assume_role()
            .role_arn(&self.arn)
            .role_session_name(SESSION)
            .send()
            .await
            .map_err(CallError::from)?;
        let session = answer.assumed_role_user.map(|user| user.arn);
        let account = session.as_deref().and_then(|arn| arn.split(':').nth(4));
        if account != Some(self.account.as_str()) {
            let account = account.unwrap_or("no account");
            let why = format!("an answer with credentials of {account}");
            return Err(CallError::Unexpected(why));
        }
        let given = answer
            .credentials
            .ok_or_else(|| CallError::Unexpected("an answer without credentials".to_owned()))?;
        let end = SystemTime::try_from(given.expiration)
            .map_err(|_| CallError::Unexpected("credentials without an end".to_owned()))?;
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(end),
            "sg-trust member",
        ))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.credentials().await;
            credentials.map_err(|error| match error {
                CallError::TimedOut => CredentialsError::provider_timed_out(RENEWAL),
                error => CredentialsError::provider_error(error),
            })
        })
    }
}

#[cfg(test)]
mod tests;
