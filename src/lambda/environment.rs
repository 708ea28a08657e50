//! What the function's environment says. The commands on a live account read `SG_TRUST_PASSED` as well, so that they
//! publish what the function would.
//!
//! | variable | values | means |
//! |---|---|---|
//! | `SG_TRUST_POLICY_FILE` | a path | the settings; else `policy.toml` beside the binary, else the defaults |
//! | `SG_TRUST_PASSED` | `archive` (default), `active` | what becomes of the finding of a group that passed |
//! | `SG_TRUST_PREWARM` | `on` (default), `off` | opens the connections before the first event |
//! | `SG_TRUST_METRICS` | `on` (default), `off` | logs metrics in CloudWatch's embedded metric format |
//! | `SG_TRUST_MEMBER_ROLE` | `PATH/NAME` of a role | works for every account that has this role, not for the own alone |
//! | `SG_TRUST_ACCOUNTS` | accounts, with commas between them | the member accounts, instead of those of the organisation |
//! | `SG_TRUST_WORK_QUEUE` | the ARN of a queue of SQS | where the function puts the sweeps of member accounts |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::aws::{MemberRole, is_queue_arn};
use crate::config::{self, RefusedExemption, SettingsFile};
use crate::engine::route::Members;
use crate::finding::Passed;
use crate::model::AccountId;
use crate::policy::Settings;

const POLICY_FILE: &str = "SG_TRUST_POLICY_FILE";
const PASSED: &str = "SG_TRUST_PASSED";
const PREWARM: &str = "SG_TRUST_PREWARM";
const METRICS: &str = "SG_TRUST_METRICS";
const MEMBER_ROLE: &str = "SG_TRUST_MEMBER_ROLE";
const ACCOUNTS: &str = "SG_TRUST_ACCOUNTS";
const WORK_QUEUE: &str = "SG_TRUST_WORK_QUEUE";
/// Lambda's own variable.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The settings file beside the binary.
const POLICY_FILE_NAME: &str = "policy.toml";

/// A start that cannot succeed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A variable with a value of the wrong form.
    #[error("{name} is {value:?}: it must be {form}")]
    Malformed {
        name: &'static str,
        value: String,
        form: &'static str,
    },
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
    /// How the function works for other accounts, if it does.
    pub(super) members: Option<(MemberRole, Members)>,
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
            members: members(given)?,
        })
    }
}

/// The accounts that the function works for beside its own, by the variables that are given.
fn members(
    given: impl Fn(&str) -> Option<String>,
) -> Result<Option<(MemberRole, Members)>, StartError> {
    let role = parsed(&given, MEMBER_ROLE, ROLE_FORM, MemberRole::parse)?;
    let accounts = parsed(&given, ACCOUNTS, ACCOUNTS_FORM, account_list)?;
    let queue_arn = |text: &str| is_queue_arn(text).then(|| text.to_owned());
    let work_queue = parsed(&given, WORK_QUEUE, QUEUE_FORM, queue_arn)?;
    let members = Members {
        accounts,
        work_queue,
    };
    Ok(role.map(|role| (role, members)))
}

fn account_list(text: &str) -> Option<BTreeSet<AccountId>> {
    let accounts = text.split(',').map(|id| AccountId::new(id.trim()));
    let is_well_formed = |account: AccountId| account.is_well_formed().then_some(account);
    accounts.map(is_well_formed).collect()
}

const ROLE_FORM: &str = "the path and name of a role, such as security/sg-trust-member";
const ACCOUNTS_FORM: &str = "accounts of 12 digits each, with commas between them";
const QUEUE_FORM: &str =
    "the ARN of a queue, such as arn:aws:sqs:eu-west-1:111111111111:sg-trust-work";

fn parsed<T>(
    given: impl Fn(&str) -> Option<String>,
    name: &'static str,
    form: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, StartError> {
    let Some(value) = given(name) else {
        return Ok(None);
    };
    match parse(&value) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(StartError::Malformed { name, value, form }),
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
                members: None,
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
            (
                MEMBER_ROLE,
                "arn:aws:iam::111111111111:role/security/sg-trust-member",
            ),
            (MEMBER_ROLE, "/security/sg-trust-member"),
            (MEMBER_ROLE, "security//sg-trust-member"),
            (MEMBER_ROLE, "a role"),
            (ACCOUNTS, "111111111111,2222"),
            (ACCOUNTS, "111111111111,"),
            (ACCOUNTS, "111111111111 222222222222"),
            (
                WORK_QUEUE,
                "https://sqs.eu-west-1.amazonaws.com/111111111111/work",
            ),
            (WORK_QUEUE, "arn:aws:sns:eu-west-1:111111111111:work"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn without_a_member_role_the_function_works_for_its_own_account() {
        let queue = "arn:aws:sqs:eu-west-1:111111111111:work";
        let others = [
            (ACCOUNTS, "222222222222, 111111111111"),
            (WORK_QUEUE, queue),
        ];
        assert_eq!(read(&others).unwrap().members, None);
        let role = (MEMBER_ROLE, "security/sg-trust-member");
        let (role, members) = read(&[others[0], others[1], role])
            .unwrap()
            .members
            .unwrap();
        let accounts = ["111111111111", "222222222222"].map(AccountId::new);
        assert_eq!(
            members,
            Members {
                accounts: Some(accounts.clone().into()),
                work_queue: Some(queue.to_owned()),
            }
        );
        assert_eq!(
            role.arn(&crate::model::Partition::new("aws-cn"), &accounts[1]),
            "arn:aws-cn:iam::222222222222:role/security/sg-trust-member"
        );
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
