//! The one writer of the command line: results to stdout, everything else to stderr, and the exit code.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use sg_trust::engine::store::StoreError;
use sg_trust::text::escape;

/// What a live command says in a build without the feature `aws`.
#[cfg(not(feature = "aws"))]
pub(crate) const NOT_BUILT_IN: &str = "this sg-trust was built without AWS: build it with the feature `aws` (cargo build --release), which is on by default";

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to report.
    Nothing,
    /// At least one FAILED group, or a failed test.
    Failed,
}

impl Outcome {
    /// FAILED if there is any.
    pub(crate) fn of_failed(failed: u64) -> Self {
        if failed == 0 {
            Self::Nothing
        } else {
            Self::Failed
        }
    }
}

/// Where results and messages go.
pub(crate) struct Terminal {
    out: BufWriter<io::Stdout>,
    has_colours: bool,
    is_interactive: bool,
    has_trouble: bool,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        Self {
            has_colours: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            is_interactive: stdout.is_terminal(),
            out: BufWriter::with_capacity(1 << 16, stdout),
            has_trouble: false,
        }
    }

    /// Prints a result as it is.
    pub(crate) fn print(&mut self, text: &str) -> anyhow::Result<()> {
        self.results(false).write_all(text.as_bytes())?;
        Ok(())
    }

    /// Prints a result for people: with colours where they show.
    pub(crate) fn print_coloured(&mut self, text: &str) -> anyhow::Result<()> {
        self.results(true).write_all(text.as_bytes())?;
        Ok(())
    }

    /// A place to write results to: for people with the colours that show, else as they are.
    pub(crate) fn results(&mut self, for_people: bool) -> Results<'_> {
        Results {
            terminal: self,
            for_people,
        }
    }

    /// Says something that is not a result.
    pub(crate) fn say(&mut self, message: &str) {
        // Where stderr is closed there is nobody to tell.
        let _ = self.out.flush();
        let _ = writeln!(io::stderr(), "sg-trust: {}", escape(message));
    }

    /// Says what could not be done; the exit code will be 2.
    pub(crate) fn complain(&mut self, message: &str) {
        self.has_trouble = true;
        self.say(message);
    }

    /// Ends the command with its exit code. A closed pipe ends it quietly.
    pub(crate) fn end(mut self, outcome: anyhow::Result<Outcome>) -> ExitCode {
        let failed = match outcome.and_then(|outcome| Ok(self.out.flush().map(|()| outcome)?)) {
            Ok(outcome) => outcome == Outcome::Failed,
            Err(error) if is_closed_pipe(&error) => false,
            Err(error) => {
                self.complain(&format!("{error:#}"));
                false
            }
        };
        match (self.has_trouble, failed) {
            (true, _) => ExitCode::from(2),
            (false, true) => ExitCode::from(1),
            (false, false) => ExitCode::SUCCESS,
        }
    }
}

/// Where the writer of a report writes to.
pub(crate) struct Results<'a> {
    terminal: &'a mut Terminal,
    for_people: bool,
}

impl Write for Results<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Terminal {
            out,
            has_colours,
            is_interactive,
            ..
        } = self.terminal;
        if self.for_people && !*has_colours {
            // A report is written block by block: none begins or ends within a colour.
            out.write_all(&anstream::adapter::strip_bytes(bytes).into_vec())?;
        } else {
            out.write_all(bytes)?;
        }
        if *is_interactive {
            out.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.out.flush()
    }
}

/// Did whoever reads the results go away?
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_sink = cause.downcast_ref::<StoreError>().is_some_and(|error| {
            matches!(error, StoreError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
        });
        of_sink
            || cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Opens a file, or standard input for `-`; the name is for messages.
pub(crate) fn open(path: &str) -> anyhow::Result<(&str, Box<dyn BufRead>)> {
    if path == "-" {
        return Ok((
            "standard input",
            Box::new(BufReader::with_capacity(1 << 16, io::stdin().lock())),
        ));
    }
    let file = File::open(path).with_context(|| format!("{path}: cannot be opened"))?;
    Ok((path, Box::new(BufReader::with_capacity(1 << 16, file))))
}

/// Reads a file, or standard input for `-`, as text.
pub(crate) fn read(path: &str) -> anyhow::Result<(&str, String)> {
    let (name, mut reader) = open(path)?;
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .with_context(|| format!("{name}: cannot be read"))?;
    Ok((name, text))
}

/// Reads an event.
pub(crate) fn read_event(path: &str) -> anyhow::Result<(&str, serde_json::Value)> {
    let (name, text) = read(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let event =
        serde_json::from_str(text).with_context(|| format!("{name}: not a JSON document"))?;
    Ok((name, event))
}
