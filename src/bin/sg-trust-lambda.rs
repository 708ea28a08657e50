//! The Lambda function of sg-trust: a security-group change in, a finding in Security Hub out.

use std::io::Write as _;
use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use sg_trust::aws;
use sg_trust::lambda::handler::Function;

fn main() -> ExitCode {
    sg_trust::lambda::log::start();
    match aws::block_on(serve()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => refuse(&error),
        Err(error) => refuse(&error.into()),
    }
}

async fn serve() -> anyhow::Result<()> {
    let function = Function::start().await?;
    function.prewarm().await;
    let handle = |event: LambdaEvent<_>| function.handle(event);
    lambda_runtime::run(service_fn(handle))
        .await
        .map_err(|error| anyhow::anyhow!(error))
}

/// Says why there is no function, where Lambda shows it.
fn refuse(error: &anyhow::Error) -> ExitCode {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "sg-trust-lambda: {error:#}");
    ExitCode::FAILURE
}
