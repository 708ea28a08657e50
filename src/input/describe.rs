//! Security groups from JSON, as `check` takes it: the output of `aws ec2 describe-security-groups`, an array, one bare
//! group, or one such document a line.
//!
//! Groups come as they are read: memory grows neither with their number nor with the length of a list. A bad group or
//! document is an error with its place; the others still come.

use std::io::BufRead;
use std::vec;

use super::error::InputError;
use super::text::Text;
use super::walk::Item;
use crate::model::SecurityGroup;

/// The groups of a file, one after another.
#[derive(Debug)]
pub struct GroupReader<R> {
    pub(super) file: String,
    pub(super) text: Text<R>,
    ready: vec::IntoIter<Item<SecurityGroup>>,
}

impl<R: BufRead> GroupReader<R> {
    /// The name is for errors.
    pub fn new(file: &str, reader: R) -> Self {
        Self {
            file: file.to_owned(),
            text: Text::new(reader),
            ready: Vec::new().into_iter(),
        }
    }
}

impl<R: BufRead> Iterator for GroupReader<R> {
    type Item = Result<SecurityGroup, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(Item { location, content }) = self.ready.next() {
                return Some(
                    content.map_err(|problem| InputError::at(&self.file, location, problem)),
                );
            }
            match self.text.advance(|group| group) {
                Some(items) => self.ready = items.into_iter(),
                None => return self.text.ending(&self.file).map(Err),
            }
        }
    }
}
