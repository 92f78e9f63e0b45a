//! [`Pages`]: what the endpoint answers, and how old it may be.
//!
//! A snapshot is taken when somebody asks. Until it is over it is served, as it was written the first time; and it is not over
//! before a hundred times what it cost, with all that was written of it, has passed, and the program has had two hundred times
//! that of processors' time. One that has less, since it waits or others have them, is waited for up to three hundred times. So all
//! who ask together cost a program half a percent of its processor time, or one that has next to none a third of a percent
//! of a processor, but for the sending.
//!
//! An example: a snapshot took 40 ms of the thread's processor time, and writing it as JSON 60 ms. Of a program that keeps two
//! processors busy it is served for 10 s, of one that keeps one busy for 20 s, of one that waits for 30 s.

use std::rc::Rc;
use std::time::{Duration, Instant};

use memprof_report::{Asker, Format, Measure, Options, Snapshot};

use crate::base::poll::{used_by_process, used_by_thread};
use crate::base::state;
use crate::observe::reset::reset;
use crate::observe::snapshot;
use crate::process::http::access::Access;
use crate::process::http::answer::Answer;
use crate::process::http::request::{Refusal, Request};
use crate::process::start;

/// A path that is read, in which format, which measure first, and as what.
struct Page {
    /// Without a query, which is not looked at.
    path: &'static str,
    format: Format,
    /// For formats that show one measure first.
    measure: Option<Measure>,
    /// The `Content-Type`. That of `OpenMetrics` carries the version that is written.
    content: &'static str,
}

const PAGES: [Page; 5] = [
    Page { path: "/", format: Format::Html, measure: None, content: "text/html; charset=utf-8" },
    Page { path: "/snapshot.json", format: Format::Json, measure: None, content: "application/json" },
    Page {
        path: "/metrics",
        format: Format::OpenMetrics,
        measure: None,
        content: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    },
    Page {
        path: "/debug/pprof/heap",
        format: Format::Pprof,
        measure: Some(Measure::Live),
        content: "application/octet-stream",
    },
    Page {
        path: "/debug/pprof/allocs",
        format: Format::Pprof,
        measure: Some(Measure::SelfTotal),
        content: "application/octet-stream",
    },
];

/// Paths that something is changed by, and what is done.
const SWITCHES: [(&str, fn()); 3] =
    [("/reset", reset), ("/enable", || start::switch(true)), ("/disable", || start::switch(false))];

const NOT_FOUND: Refusal = Refusal::new(
    404,
    "there is: GET / /snapshot.json /metrics /debug/pprof/heap /debug/pprof/allocs, POST /reset /enable /disable",
);

/// The page in a browser renews itself so often.
const RENEWED: &str = "Refresh: 10\r\n";

/// How much longer than it cost a snapshot is served at least.
const TIMES: u32 = 100;
/// How much more than it cost the program has had of processors' time when another one is taken.
const TIMES_BUSY: u32 = 200;
/// How much longer than it cost a snapshot is served at most.
const TIMES_IDLE: u32 = 300;

/// What was measured, and written of it so far.
struct Kept {
    snapshot: Snapshot,
    /// When it was taken.
    taken: Instant,
    /// Processor time of the process by then.
    used: Duration,
    /// When that is looked at next: the system adds up all threads for it.
    look: Instant,
    /// Processor time of this thread for the snapshot and all that was written of it.
    cost: Duration,
    written: [Option<Rc<Vec<u8>>>; PAGES.len()],
}

pub(crate) struct Pages {
    access: Access,
    options: Options,
    kept: Option<Kept>,
}

impl Pages {
    /// For an endpoint that `access` guards, whose reports are as the environment asks for.
    pub(crate) fn new(access: Access, options: &Options) -> Self {
        Self { access, options: options.clone(), kept: None }
    }

    /// The answer to what was asked.
    pub(crate) fn reply(&mut self, request: Result<Request<'_>, Refusal>) -> Answer {
        match request.and_then(|request| self.answer(&request)) {
            Ok(answer) => answer,
            Err(refusal) => Answer::refusal(&refusal),
        }
    }

    /// Who may ask is found out first, so that nobody learns by the status which paths there are.
    fn answer(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let page = PAGES.iter().position(|page| page.path == request.path);
        let switch = SWITCHES.iter().find(|(path, _)| *path == request.path);
        let reads = matches!(request.method, "GET" | "HEAD");
        self.access.check(request, !reads)?;
        match (page, switch) {
            (Some(page), _) if reads => {
                let answer = self.page(page)?;
                Ok(if request.method == "HEAD" { answer.without_body() } else { answer })
            }
            (_, Some((path, switch))) if request.method == "POST" => {
                switch();
                self.kept = None;
                Ok(Answer::line(200, "", &format!("{}: done", path.trim_start_matches('/'))))
            }
            (Some(_), _) => Ok(Answer::line(405, "Allow: GET, HEAD\r\n", "this is read with GET")),
            (_, Some(_)) => Ok(Answer::line(405, "Allow: POST\r\n", "this is done with POST")),
            (None, None) => Err(NOT_FOUND),
        }
    }

    /// A page, written now if nobody asked for it since the snapshot was taken.
    fn page(&mut self, index: usize) -> Result<Answer, Refusal> {
        let Page { format, measure, content, .. } = &PAGES[index];
        if self.kept.as_mut().is_some_and(Kept::is_over) {
            self.kept = None;
        }
        let kept = self.kept.get_or_insert_with(Kept::take);
        let body = if let Some(body) = &kept.written[index] {
            body.clone()
        } else {
            let began = used_by_thread();
            let mut body = Vec::new();
            let mut report = kept.snapshot.report().options(self.options.clone()).asker(Asker::Environment);
            if let Some(measure) = measure {
                report = report.measure(*measure);
            }
            report.format(*format).write(&mut body).map_err(|_| Refusal::new(500, "the report cannot be written"))?;
            kept.cost += used_by_thread().saturating_sub(began);
            let body = Rc::new(body);
            kept.written[index] = Some(body.clone());
            body
        };
        let more = if *format == Format::Html { RENEWED } else { "" };
        Ok(Answer::new(200, content, more, body))
    }
}

impl Kept {
    /// Takes a snapshot, with what it cost.
    fn take() -> Self {
        let began = used_by_thread();
        let snapshot = snapshot::take(state::is_announced_on());
        let cost = used_by_thread().saturating_sub(began);
        let taken = Instant::now();
        Self { snapshot, taken, used: used_by_process(), look: taken, cost, written: Default::default() }
    }

    /// Whether another one may be taken.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.taken);
        if passed >= self.cost * TIMES_IDLE {
            return true;
        }
        if passed < self.cost * TIMES || now < self.look {
            return false;
        }
        self.look = now + self.cost * (TIMES / 10);
        used_by_process().saturating_sub(self.used) >= self.cost * TIMES_BUSY
    }
}
