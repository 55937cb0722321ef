//! The results as `JUnit` XML, which every continuous integration reads.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::test::judge::{Judged, Judgement};
use crate::test::report::plain_failures;

/// The name of the report and of its only suite.
const SUITE: &str = "pagefault";

/// Returns the document. It has no times: the same programs give the same document.
///
/// # Errors
///
/// The document cannot be serialised.
pub(crate) fn text(judged: &[Judged]) -> anyhow::Result<String> {
    let mut suite = TestSuite::new(SUITE);
    for one in judged {
        let mut status = match &one.judgement {
            Judgement::Passed { .. } => TestCaseStatus::success(),
            Judgement::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Judgement::Broken(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
        };
        let message = match &one.judgement {
            Judgement::Passed { .. } => None,
            Judgement::Failed { unmet, .. } => {
                let first = unmet.first();
                first.map(|unmet| format!("expected {}; {}", unmet.expected, unmet.seen))
            }
            Judgement::Broken(_) => Some("the program cannot be run".to_owned()),
        };
        if let Some(message) = message {
            status.set_message(message);
            status.set_description(plain_failures(one));
        }
        suite.add_test_case(TestCase::new(one.name(), status));
    }
    let mut report = Report::new(SUITE);
    report.add_test_suite(suite);
    crate::grade::junit::xml(&report)
}
