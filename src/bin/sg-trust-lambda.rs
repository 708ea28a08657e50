//! The Lambda function of sg-trust: a security-group change in, a finding in Security Hub out.

use std::io::Write as _;
use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use sg_trust::aws::function::Function;
use sg_trust::aws::logging;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::start();
    let function = match Function::start().await {
        Ok(function) => function,
        Err(error) => return refuse(&anyhow::Error::from(error)),
    };
    function.prewarm().await;
    let handle = |event: LambdaEvent<_>| function.handle(event);
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&anyhow::anyhow!(error)),
    }
}

/// Says why there is no function, where Lambda shows it.
fn refuse(error: &anyhow::Error) -> ExitCode {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "sg-trust-lambda: {error:#}");
    ExitCode::FAILURE
}
