//! EC2, Security Hub, SQS and STS: the only place that knows the AWS SDK.
//!
//! [`Clients`] are what the Lambda function has: made once, before the first event. [`Account`] is what the command line
//! has: an operator's credentials, in one Region. Both give a source of groups and a store of findings; errors of calls
//! are [`CallError`]s, by type.

use std::future::Future;
use std::io;

mod account;
mod assume_role;
mod client;
mod clock;
pub mod ec2;
mod errors;
mod findings;
mod hub_client;
mod organization;
pub mod probe;
mod queue;
mod rate_limit;
pub mod securityhub;
#[cfg(test)]
mod testing;
mod timeouts;
mod unmodelled;
mod work_queue;

pub use account::{Account, AccountError, Caller, Clients};
pub use assume_role::{MemberAccounts, MemberRole};
pub use client::load_config;
pub use clock::{ClockError, ClockOffset};
pub use errors::{CallError, describe};
pub use queue::{NotDelayed, Redelivery};
pub use timeouts::Timeouts;
pub use work_queue::is_queue_arn;

/// Runs async work to its end, on this thread.
///
/// # Errors
/// When the system gives no way to wait for the network.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
