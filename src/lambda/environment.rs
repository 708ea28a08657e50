//! What the function's environment says. The commands on a live account read `SG_TRUST_PASSED` as well, so that they
//! publish what the function would.
//!
//! | variable | values | means |
//! |---|---|---|
//! | `SG_TRUST_POLICY_FILE` | a path | the settings; else `policy.toml` beside the binary, else the defaults |
//! | `SG_TRUST_PASSED` | `archive` (default), `active` | what becomes of the finding of a group that passed |
//! | `SG_TRUST_PREWARM` | `on` (default), `off` | opens the connections before the first event |
//! | `SG_TRUST_METRICS` | `on` (default), `off` | logs metrics in CloudWatch's embedded metric format |

use std::path::{Path, PathBuf};

use crate::config::{self, RefusedExemption, SettingsFile};
use crate::finding::Passed;
use crate::policy::Settings;

const POLICY_FILE: &str = "SG_TRUST_POLICY_FILE";
const PASSED: &str = "SG_TRUST_PASSED";
const PREWARM: &str = "SG_TRUST_PREWARM";
const METRICS: &str = "SG_TRUST_METRICS";
/// Lambda's own variable.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The settings file beside the binary.
const POLICY_FILE_NAME: &str = "policy.toml";

/// A start that cannot succeed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The settings file cannot be read.
    #[error("{path}: cannot be read (from {POLICY_FILE}, or beside the binary)")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The settings file cannot be used.
    #[error(transparent)]
    Settings(#[from] config::SettingsError),
}

/// A variable with a value that it cannot have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}: it must be `{}` or `{}`", .values[0], .values[1])]
pub struct VariableError {
    name: &'static str,
    value: String,
    values: [&'static str; 2],
}

/// The value of a variable of this process; bytes that are not text are replaced.
#[must_use]
pub fn of_process(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The state of the finding of a group that passed: `SG_TRUST_PASSED`.
///
/// # Errors
/// When the variable has a value that it cannot have.
pub fn passed(variable: impl Fn(&str) -> Option<String>) -> Result<Passed, VariableError> {
    let is_archive = is_first(&variable, PASSED, ["archive", "active"])?;
    Ok(if is_archive {
        Passed::Archive
    } else {
        Passed::Active
    })
}

/// Whether a variable has the first of its two values, which is its default too.
fn is_first(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
    values: [&'static str; 2],
) -> Result<bool, VariableError> {
    let [first, second] = values;
    match variable(name) {
        None => Ok(true),
        Some(value) if value.is_empty() || value == first => Ok(true),
        Some(value) if value == second => Ok(false),
        Some(value) => Err(VariableError {
            name,
            value,
            values,
        }),
    }
}

/// The settings from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub(super) settings: Settings,
    /// Exemptions of the settings file that do not hold.
    pub(super) refused: Vec<RefusedExemption>,
    pub(super) passed: Passed,
    pub(super) prewarm: bool,
    /// The name of the function in the metrics; without one there are none.
    pub(super) metrics: Option<String>,
}

impl Environment {
    /// Reads the variables, by their names.
    ///
    /// # Errors
    /// When one has a wrong value, or the settings file cannot be used.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
        beside: Option<&Path>,
    ) -> Result<Self, StartError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let file = match given(POLICY_FILE) {
            Some(path) => Some(PathBuf::from(path)),
            // A link that leads nowhere is there, and cannot be read.
            None => beside
                .map(|folder| folder.join(POLICY_FILE_NAME))
                .filter(|path| path.symlink_metadata().is_ok()),
        };
        let SettingsFile { settings, refused } = match file {
            Some(path) => {
                let name = path.display().to_string();
                let text =
                    std::fs::read_to_string(&path).map_err(|cause| StartError::Unreadable {
                        path: name.clone(),
                        cause,
                    })?;
                config::read(&name, &text)?
            }
            None => SettingsFile::default(),
        };
        let is_on = |name| is_first(&variable, name, ["on", "off"]);
        let metrics = is_on(METRICS)?;
        Ok(Self {
            settings,
            refused,
            passed: passed(&variable)?,
            prewarm: is_on(PREWARM)?,
            metrics: metrics.then(|| given(FUNCTION_NAME)).flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Environment::read(
            |name| variables.get(name).map(|value| (*value).to_owned()),
            None,
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_variables_fail_with_their_names() {
        assert_eq!(
            read(&[]).unwrap(),
            Environment {
                settings: Settings::default(),
                refused: Vec::new(),
                passed: Passed::Archive,
                prewarm: true,
                metrics: None,
            }
        );
        let environment = read(&[(PASSED, "active"), (PREWARM, "off"), (POLICY_FILE, "")]).unwrap();
        assert_eq!(
            (environment.passed, environment.prewarm),
            (Passed::Active, false)
        );
        for (name, value) in [
            (PASSED, "Active"),
            (PREWARM, "yes"),
            (POLICY_FILE, "/nowhere/policy.toml"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_settings_beside_the_binary_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.toml"), "severity = \"HIGH\"").unwrap();
        let environment = Environment::read(|_| None, Some(folder.path())).unwrap();
        assert_eq!(environment.settings.severity, crate::policy::Severity::High);
        std::fs::write(folder.path().join("policy.toml"), "severity = 3").unwrap();
        let error = Environment::read(|_| None, Some(folder.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("policy.toml:1: severity"), "{error}");
    }
}
