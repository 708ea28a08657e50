//! The undo file on disk: every line is synced before the next call is made.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use owo_colors::OwoColorize as _;
use sg_trust::model::RuleId;
use sg_trust::remediation::journal::{Entry, Journal, Outcome};
use sg_trust::remediation::run::Log;
use sg_trust::report::fix::{describe_rule, describe_with_id};

use crate::terminal::Terminal;

/// An undo file that is open, locked and written to. What is done is printed too.
pub(crate) struct JournalFile<'t> {
    file: File,
    journal: Journal,
    terminal: &'t mut Terminal,
}

/// Opens an undo file; none when there is no such file.
///
/// # Errors
/// When it cannot be used, or another run uses it.
pub(crate) fn open(path: &str) -> anyhow::Result<Option<(Journal, File)>> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{path}: cannot be opened")),
    };
    lock(&file, path)?;
    let mut text = String::new();
    let unreadable = || format!("{path}: cannot be read");
    file.read_to_string(&mut text).with_context(unreadable)?;
    let (journal, whole) = Journal::parse(&text).with_context(|| path.to_owned())?;
    let whole = u64::try_from(whole)?;
    // What was cut off while it was written goes, so that the next line stands by itself.
    let cut = file.set_len(whole).and_then(|()| file.sync_all());
    cut.and_then(|()| file.seek(SeekFrom::Start(whole)))
        .with_context(|| format!("{path}: cannot be written"))?;
    Ok(Some((journal, file)))
}

/// Creates an undo file with its plan, on disk before this returns.
///
/// # Errors
/// When there is such a file, or it cannot be written.
pub(crate) fn create(path: &str, journal: &Journal) -> anyhow::Result<File> {
    let written = || format!("{path}: the undo file cannot be written, so nothing was changed");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(written)?;
    lock(&file, path)?;
    let line = journal.planned().to_line()?;
    let done = file.write_all(line.as_bytes());
    done.and_then(|()| file.sync_all()).with_context(written)?;
    let folder = Path::new(path).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    // The file's name stands in its folder: that is on disk too then, where the system can do it.
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
    Ok(file)
}

fn lock(file: &File, path: &str) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("{path}: another sg-trust works by this undo file")
        }
        // A file system without locks.
        Err(std::fs::TryLockError::Error(_)) => Ok(()),
    }
}

impl<'t> JournalFile<'t> {
    pub(crate) fn new(file: File, journal: Journal, terminal: &'t mut Terminal) -> Self {
        Self {
            file,
            journal,
            terminal,
        }
    }

    /// The journal with everything that was done.
    pub(crate) fn into_journal(self) -> Journal {
        self.journal
    }

    /// What an entry tells a person.
    fn describe(&self, entry: &Entry) -> Option<String> {
        let step = |number: &usize| self.journal.steps().get(*number);
        let new =
            |id: &Option<RuleId>| id.as_ref().map_or_else(String::new, |id| format!("{id}  "));
        Some(match entry {
            Entry::Done {
                step: number,
                outcome,
                rule_id,
                ..
            } => {
                let rule = &step(number)?.rule;
                match outcome {
                    Outcome::Revoked => line(&"revoked".red(), 7, &describe_with_id(rule)),
                    Outcome::Absent => {
                        let text = format!("{}: it was gone already", describe_with_id(rule));
                        line(&"gone".dimmed(), 4, &text)
                    }
                    Outcome::Authorized => {
                        let text = format!("{}{}", new(rule_id), describe_rule(rule));
                        line(&"allowed".green(), 7, &text)
                    }
                    Outcome::Exists => {
                        let text = format!("{}: it is allowed already", describe_rule(rule));
                        line(&"exists".dimmed(), 6, &text)
                    }
                }
            }
            Entry::Restored {
                step: number,
                rule_id: Some(id),
                ..
            } => {
                let rule = &step(number)?.rule;
                let old = rule.rule_id.as_ref().map_or("no id", |id| id.as_str());
                let text = format!(
                    "{id}  {}  {}",
                    describe_rule(rule),
                    format_args!("was {old}").dimmed()
                );
                line(&"restored".green(), 8, &text)
            }
            Entry::Restored { step: number, .. } => {
                line(&"is there".dimmed(), 8, &describe_rule(&step(number)?.rule))
            }
            Entry::Withdrawn {
                step: number,
                rule_id,
                ..
            } => {
                let text = format!("{rule_id}  {}", describe_rule(&step(number)?.rule));
                line(&"revoked".red(), 7, &text)
            }
            Entry::Planned { .. } | Entry::Begun { .. } | Entry::Undoing | Entry::Undone => {
                return None;
            }
        })
    }
}

fn line(label: &dyn std::fmt::Display, width: usize, text: &str) -> String {
    let padding = " ".repeat(10_usize.saturating_sub(width));
    format!("  {label}{padding}{text}\n")
}

impl Log for JournalFile<'_> {
    fn append(&mut self, entry: Entry) -> io::Result<()> {
        let line = entry.to_line()?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        if let Some(text) = self.describe(&entry) {
            self.terminal
                .print_coloured(&text)
                .map_err(io::Error::other)?;
        }
        let journal = self.journal.clone().with(entry);
        self.journal = journal.ok_or_else(|| io::Error::other("an entry of no step"))?;
        Ok(())
    }
}
