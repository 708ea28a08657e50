//! The report for people who would rather look than read: one HTML file that fetches nothing.
//!
//! It works without its script, offline and printed. Names are chosen by whoever may create a group: nothing in them is
//! markup here, the script writes no markup, and the policy of the page lets no other script or style run.
//!
//! | module | has |
//! |---|---|
//! | `groups` | the groups with their verdicts, in one order, whatever the order of the input |
//! | `totals`, `sections`, `violations`, `rest` | what the page shows |
//! | `plans` | what `fix` would do to a FAILED group |
//! | `near` | the groups nearest to one |
//! | `picture` | the picture by hops from the internet |
//! | `data` | what the script draws the neighbourhood of a group from |
//! | `text`, `ports` | names, sentences, commands and ports as markup |

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use crate::config::WriteError;
use crate::graph::{Overview, Trust, TrustGraph, Walk};
use crate::policy::Settings;
use crate::remediation::plan::PlanError;
use crate::text::escape;

mod data;
mod groups;
mod near;
mod picture;
mod plans;
mod ports;
mod rest;
mod sections;
mod text;
mod totals;
mod violations;

pub use groups::{Evaluated, evaluate_all};

use near::Near;
use picture::Picture;
use rest::Rest;
use sections::Sections;
use text::Text;
use totals::Totals;

const SCRIPT: &str = include_str!("../../templates/report/report.js");
const STYLE: &str = include_str!("../../templates/report/report.css");

/// What the page says about its making. No other part of the product has this text.
const MADE_BY: &str = concat!("sg-trust ", env!("CARGO_PKG_VERSION"), " HTML report");

/// What a report is made from.
#[derive(Debug)]
pub struct Contents<'a> {
    pub settings: &'a Settings,
    pub groups: &'a [Evaluated],
    /// Of the same groups.
    pub graph: &'a TrustGraph,
    pub title: Option<&'a str>,
    /// The moment that the page shows; without one it shows none.
    pub at: Option<Timestamp>,
    /// The day on which exemptions were looked at, in UTC.
    pub today: Date,
    /// What could not be used of the input.
    pub troubles: &'a [String],
}

/// A report that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    #[error("the report cannot be written as HTML")]
    Template(#[from] askama::Error),
    #[error("the report's data cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the report has no plan for a group")]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Settings(#[from] WriteError),
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    made_by: &'static str,
    script: &'static str,
    style: &'static str,
    script_hash: String,
    style_hash: String,
    title: Text<String>,
    at: Option<String>,
    totals: Totals,
    picture: Option<Picture>,
    sections: Sections<'a>,
    rest: Rest<'a>,
    data: String,
}

/// The report as one HTML document. The same contents make the same bytes.
///
/// # Errors
/// When the settings or the data cannot be written.
pub fn html(contents: &Contents<'_>) -> Result<String, HtmlError> {
    let walk = Walk::new(contents.graph, Trust::Open, false);
    let overview = Overview::new(&walk, None);
    let near = Near::new(&walk);
    let sections = Sections::new(contents, &overview, &near)?;
    let page = Page {
        made_by: MADE_BY,
        script: SCRIPT,
        style: STYLE,
        script_hash: hash(SCRIPT),
        style_hash: hash(STYLE),
        title: Text(escape(contents.title.unwrap_or("Security group trust")).into_owned()),
        at: contents
            .at
            .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        totals: Totals::new(contents, &walk, &overview),
        picture: Picture::new(&walk, &overview, &near, &sections),
        rest: Rest::new(contents, &walk, &overview, &sections)?,
        data: data::json(&walk, &near, &sections)?,
        sections,
    };
    let mut out = String::with_capacity(600 * contents.groups.len() + 65_536);
    page.render_into(&mut out)?;
    Ok(out)
}

/// As a Content-Security-Policy names a script or a style that stands in the page.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// A number with its thousands apart.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn plural(number: usize, one: &str, several: &str) -> String {
    let noun = if number == 1 { one } else { several };
    format!("{} {noun}", count(number))
}

#[cfg(test)]
mod tests;
