//! The events that a command reads.

use anyhow::bail;
use sg_trust::event::{self, Batch, Message, Shape};

use crate::input::read_event;
use crate::terminal::Terminal;

/// Reads the events in a document; the name of the document is for messages.
///
/// # Errors
/// When the document cannot be read, or is one event that is none.
pub(crate) fn read(path: &str) -> anyhow::Result<(&str, Batch)> {
    let (name, document) = read_event(path)?;
    let batch = event::read(&document);
    match (batch.shape, batch.messages.as_slice()) {
        (
            Shape::Single,
            [
                Message {
                    trigger: Err(error),
                    ..
                },
            ],
        ) => bail!("{name}: {error}"),
        _ => Ok((name, batch)),
    }
}

/// Says which of several messages cannot be read, and why: how many.
pub(crate) fn complain(name: &str, batch: &Batch, terminal: &mut Terminal) -> usize {
    let mut unreadable = 0;
    for (number, message) in (1..).zip(&batch.messages) {
        if let Err(error) = &message.trigger {
            terminal.complain(&format!("{name}: message {number}: {error}"));
            unreadable += 1;
        }
    }
    unreadable
}
