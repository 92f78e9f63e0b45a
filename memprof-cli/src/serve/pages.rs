//! [`Pages`]: what is answered: the view around the reports, and the report of each file as it is now.
//!
//! A report is made when it is asked for, and kept until its file is another one. A file that cannot be read is an answer, and ends nothing. Who
//! may ask is left to [`access`](super::access).

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use memprof_report::{__common::HEADERS, Format};

use super::access::Asked;
use crate::profile::read;

/// A status, headers and a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// The view frames its own reports; nobody else frames anything.
const FRAMES: (&str, &str) = ("X-Frame-Options", "SAMEORIGIN");
/// Of the view: it loads its own parts, and frames its own reports.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    fn new(status: u16, content: &str, body: Vec<u8>) -> Self {
        let always = HEADERS.into_iter().chain([FRAMES]).map(|(name, value)| (name, value.to_owned()));
        Self { status, headers: always.chain([("Content-Type", content.to_owned())]).collect(), body }
    }

    /// A line of text.
    pub(crate) fn line(status: u16, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n").into_bytes())
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The reports of these files.
#[derive(Debug)]
pub(crate) struct Pages {
    files: Vec<PathBuf>,
    /// Of each file, the report that was made last, and of which version.
    made: Vec<Option<(String, Vec<u8>)>>,
}

impl Pages {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        Self { made: vec![None; files.len()], files }
    }

    /// The answer to what may be asked.
    pub(crate) fn answer(&mut self, asked: &Asked<'_>) -> Answer {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path {
            "/" => Answer::new(200, HTML, self.view().into_bytes()).with("Content-Security-Policy", POLICY),
            "/view.css" => Answer::new(200, "text/css; charset=utf-8", include_bytes!("page/view.css").to_vec()),
            "/view.js" => Answer::new(200, "text/javascript; charset=utf-8", include_bytes!("page/view.js").to_vec()),
            path => {
                let number = path.strip_prefix("/report/").and_then(|number| number.parse::<usize>().ok());
                match number.and_then(|number| number.checked_sub(1)).filter(|index| *index < self.files.len()) {
                    Some(index) => self.report(index, asked.method == "HEAD"),
                    None => Answer::line(404, "there is: / and /report/1, /report/2 and so on, one for each file"),
                }
            }
        }
    }

    fn view(&self) -> String {
        let link = |(index, file): (usize, &PathBuf)| {
            format!("<a href=\"#{}\">{}</a>\n", index + 1, escaped(&file.to_string_lossy()))
        };
        let links: String = self.files.iter().enumerate().map(link).collect();
        include_str!("page/view.html").replace("{{links}}", links.trim_end())
    }

    /// The report of a file as it is now. Its version alone is asked for with HEAD.
    fn report(&mut self, index: usize, is_head: bool) -> Answer {
        let file = &self.files[index];
        let version = version(file);
        if is_head {
            return Answer::new(200, HTML, Vec::new()).with("ETag", version);
        }
        let body = match &self.made[index] {
            Some((made, body)) if *made == version => body.clone(),
            _ => match report(file) {
                Ok(body) => body,
                Err(why) => return Answer::line(500, &why).with("ETag", version),
            },
        };
        self.made[index] = Some((version.clone(), body.clone()));
        Answer::new(200, HTML, body).with("ETag", version)
    }
}

/// What is another when the file is: when it was written and its length.
fn version(file: &Path) -> String {
    let Ok(known) = fs::metadata(file) else { return "\"none\"".to_owned() };
    let modified = known.modified().ok().and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    format!("\"{}-{}\"", modified.unwrap_or_default().as_nanos(), known.len())
}

fn report(file: &Path) -> Result<Vec<u8>, String> {
    let snapshot = read(file).map_err(|error| error.to_string())?;
    let mut body = Vec::new();
    let written: io::Result<()> = snapshot.report().format(Format::Html).write(&mut body);
    written.map(|()| body).map_err(|error| format!("cannot show ‘{}’: {error}", file.display()))
}

/// As text of a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
