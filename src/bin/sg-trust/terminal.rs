//! The one writer of the command line: results to stdout, everything else to stderr, and the exit code.

use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::process::ExitCode;

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
    /// Whether the reader of the results went away: results are then dropped, and the exit code stays as it would be.
    is_closed: bool,
    has_trouble: bool,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        Self {
            has_colours: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            is_interactive: stdout.is_terminal(),
            out: BufWriter::with_capacity(1 << 16, stdout),
            is_closed: false,
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

    /// Whether the reader of the results went away.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether something could not be done.
    pub(crate) fn has_trouble(&self) -> bool {
        self.has_trouble
    }

    /// # Errors
    /// When there is nobody to ask: standard input or standard error is no terminal.
    pub(crate) fn ensure_can_ask(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            io::stdin().is_terminal() && io::stderr().is_terminal(),
            "nobody can be asked here, since this is no terminal: look at the plan, then add --yes"
        );
        Ok(())
    }

    /// Asks a question, and goes on only when the answer is yes.
    #[cfg(feature = "aws")]
    pub(crate) fn confirm(&mut self, question: &str) -> anyhow::Result<()> {
        self.ensure_can_ask()?;
        self.results(false).flush()?;
        let _ = write!(io::stderr(), "\n{} [yes/no] ", escape(question));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        anyhow::ensure!(
            answer.trim().eq_ignore_ascii_case("yes"),
            "not confirmed with yes: nothing was changed"
        );
        Ok(())
    }

    /// Ends the command with its exit code.
    pub(crate) fn end(mut self, outcome: anyhow::Result<Outcome>) -> ExitCode {
        let flushed = self.results(false).flush();
        let failed = match outcome.and_then(|outcome| Ok(flushed.map(|()| outcome)?)) {
            Ok(outcome) => outcome == Outcome::Failed,
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

impl Results<'_> {
    /// Remembers that the pipe is closed instead of failing.
    fn unless_closed(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.terminal.is_closed = true;
                Ok(())
            }
            written => written,
        }
    }
}

impl Write for Results<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.terminal.is_closed {
            return Ok(bytes.len());
        }
        let Terminal {
            out,
            has_colours,
            is_interactive,
            ..
        } = &mut *self.terminal;
        let mut written = if self.for_people && !*has_colours {
            // A report is written block by block: none begins or ends within a colour.
            out.write_all(&anstream::adapter::strip_bytes(bytes).into_vec())
        } else {
            out.write_all(bytes)
        };
        if *is_interactive {
            written = written.and_then(|()| out.flush());
        }
        self.unless_closed(written)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.terminal.out.flush();
        self.unless_closed(flushed)
    }
}
