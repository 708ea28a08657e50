//! Refuses answers that were cut off.

use aws_sdk_ec2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;

/// The SDK reads XML that was cut off as if it ended there: a group without its permissions, or no group at all. Either
/// would be a wrong verdict, so an answer that does not end with the end of its root element is an error.
#[derive(Debug)]
pub(super) struct WholeAnswer;

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What is an error already stays the one that it is: the SDK asks again where the connection ended.
        let is_read = context.output_or_error().is_ok();
        let body = context.response().body().bytes().unwrap_or_default();
        if is_read && !is_whole(body) {
            return Err(format!("the answer was cut off after {} bytes", body.len()).into());
        }
        Ok(())
    }
}

/// Whether the XML ends with the end of its root element.
fn is_whole(xml: &[u8]) -> bool {
    let name_of = |tag: &[u8]| {
        let end = tag
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'>' || *byte == b'/');
        tag.get(..end.unwrap_or(tag.len()))
            .unwrap_or_default()
            .to_vec()
    };
    let root = xml
        .split(|byte| *byte == b'<')
        .skip(1)
        .find(|tag| !tag.starts_with(b"?") && !tag.starts_with(b"!"))
        .map(name_of);
    root.is_some_and(|root| {
        !root.is_empty()
            && xml
                .trim_ascii_end()
                .ends_with(&[b"</", root.as_slice(), b">"].concat())
    })
}
