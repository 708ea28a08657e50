//! `[sensitivity]`.

use super::document::Wrong;
use super::severity;
pub(super) use super::tables::SensitivityTable;
use crate::policy::Severity;
use crate::policy::sensitivity::Sensitivity;

impl SensitivityTable {
    pub(super) fn read(self) -> Result<Sensitivity, Wrong> {
        if self.tag.get_ref().is_empty() {
            return Err(Wrong::at(&self.tag, "it is empty"));
        }
        let levels = self.levels()?;
        let unseen = self.unseen.as_ref().map(|unseen| unseen.get_ref().clone());
        let sensitivity = Sensitivity {
            tag: self.tag.get_ref().clone(),
            default: self.default.get_ref().clone(),
            unseen: match (unseen, levels.first()) {
                (Some(unseen), _) => unseen,
                (None, Some(first)) => first.clone(),
                (None, None) => return Err(Wrong::at(&self.levels, "it names no level")),
            },
            levels,
            raise: self.raise()?,
        };
        for name in std::iter::once(&self.default).chain(&self.unseen) {
            if sensitivity.find(name.get_ref()).is_none() {
                let problem = format!("{:?} is not one of the levels", name.get_ref());
                return Err(Wrong::at(name, problem));
            }
        }
        Ok(sensitivity)
    }

    fn levels(&self) -> Result<Vec<String>, Wrong> {
        let levels = self.levels.get_ref();
        if levels.is_empty() {
            return Err(Wrong::at(&self.levels, "it names no level"));
        }
        for (number, level) in levels.iter().enumerate() {
            let name = level.get_ref();
            if name.is_empty() {
                return Err(Wrong::at(level, "a level without a name"));
            }
            let mut before = levels.iter().take(number);
            if before.any(|other| other.get_ref().to_lowercase() == name.to_lowercase()) {
                let problem =
                    format!("{name:?} stands there twice: levels are compared without case");
                return Err(Wrong::at(level, problem));
            }
        }
        Ok(levels.iter().map(|level| level.get_ref().clone()).collect())
    }

    fn raise(&self) -> Result<Vec<Severity>, Wrong> {
        let Some(raise) = &self.raise else {
            return Ok(vec![Severity::Medium, Severity::High, Severity::Critical]);
        };
        let steps: Vec<_> = raise
            .get_ref()
            .iter()
            .map(severity)
            .collect::<Result<_, _>>()?;
        if steps.is_empty() {
            return Err(Wrong::at(raise, "it has no severity"));
        }
        if !steps.is_sorted() {
            let problem = "it falls: a greater distance must not lower the severity";
            return Err(Wrong::at(raise, problem));
        }
        Ok(steps)
    }
}
