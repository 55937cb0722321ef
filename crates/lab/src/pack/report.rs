//! What came of a submission.

/// Who sees a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// The student, always.
    #[default]
    Visible,
    /// The student, once the lab is over.
    AfterDueDate,
    /// The student, once marks are published.
    AfterPublished,
    /// Staff.
    Hidden,
}

impl Visibility {
    /// The words for it, which are those of Gradescope.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("visible", Self::Visible),
        ("after_due_date", Self::AfterDueDate),
        ("after_published", Self::AfterPublished),
        ("hidden", Self::Hidden),
    ];

    /// Returns the visibility of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(known, _)| *known == name)
            .map(|(_, visibility)| visibility)
    }

    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, known)| *known == self);
        named.map_or("", |(name, _)| name)
    }
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Its name, without blanks.
    pub name: String,
    /// What it looks for.
    pub says: String,
    /// The points that it gives.
    pub points: u32,
    /// Whether they were earned.
    pub is_met: bool,
    /// Who sees it.
    pub visibility: Visibility,
    /// What was seen in place of what is right, line by line. The right answer is not in it.
    pub seen: Vec<String>,
}

impl CheckReport {
    /// Returns the points that were earned.
    pub fn earned(&self) -> u32 {
        if self.is_met { self.points } else { 0 }
    }
}

/// What came of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Check by check.
    pub checks: Vec<CheckReport>,
    /// What kept the submission from being looked at, or what is odd about it.
    pub remarks: Vec<String>,
    /// What went wrong in the run, at length: instruction, walk, region, advice.
    pub explanation: Vec<String>,
    /// A picture of it, as SVG.
    pub picture: Option<String>,
}

impl Report {
    /// Returns the points that were earned.
    pub fn earned(&self) -> u32 {
        self.checks.iter().map(CheckReport::earned).sum()
    }

    /// Returns the points that there are.
    pub fn points(&self) -> u32 {
        self.checks.iter().map(|check| check.points).sum()
    }
}
