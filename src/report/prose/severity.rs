//! How a severity came about.

use crate::policy::{Settings, Violation};
use crate::text::escape;

/// How the severity of a violation came about.
#[must_use]
pub fn describe_severity(settings: &Settings, violation: &Violation) -> String {
    let setting = format!("the setting `severity` is {}", settings.severity);
    let Some(levels) = &violation.levels else {
        return setting;
    };
    let target = escape(&levels.target);
    let source = escape(&levels.source);
    let source = if levels.is_seen {
        format!("the source is {source}")
    } else {
        format!("the source cannot be seen and counts as {source}")
    };
    let both = format!("{setting}; the group is {target}, {source}");
    let less = match levels.distance {
        0 => return format!("{both}: not less sensitive"),
        1 => "1 level".to_owned(),
        less => format!("{less} levels"),
    };
    let raise = if violation.severity > settings.severity {
        format!("which `raise` makes {}", violation.severity)
    } else {
        "for which `raise` has nothing higher".to_owned()
    };
    format!("{both}: {less} less sensitive, {raise}")
}
