//! `memprof serve`: the report of saved profiles as a page on this machine, loaded anew when a file changes.
//!
//! It listens on loopback alone. What is asked under another name than this machine's own, or by a page of another origin, is refused: see
//! [`access`].

mod access;

mod pages;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use clap::Args;
use tiny_http::{Header, Response, Server};

use self::{
    access::Asked,
    pages::{Answer, Pages},
};
use crate::{
    error::{Error, say},
    opener,
    outcome::Outcome,
    profile::read,
};

/// Serves the report of saved profiles as a page on this machine, and loads it anew when they change.
///
/// Only this machine reaches it. The page is the one of `memprof convert FILE -o report.html`. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  memprof serve profile.json                 the address is said on stderr
  memprof serve profile.json --open          in the browser at once
  memprof serve before.json profile.json     to switch between them
  memprof serve profile.json --port 8080     at http://127.0.0.1:8080")]
pub(crate) struct Arguments {
    /// Saved profiles, `.json`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The port; without one, the system chooses
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Open the page with the browser
    #[arg(long)]
    open: bool,
}

/// Serves until it is killed.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    // What is wrong now is said now; what becomes wrong later, on the page.
    for file in &arguments.files {
        read(file)?;
    }
    let port = arguments.port;
    let cannot = |error: io::Error| Error::File(format!("cannot serve at 127.0.0.1:{port}: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let server = Server::from_listener(listener, None).map_err(|error| cannot(io::Error::other(error)))?;
    let url = format!("http://{address}/");
    say(&format_args!("at {url}, until Ctrl-C"));
    if arguments.open {
        opener::open(&url);
    }
    let mut pages = Pages::new(arguments.files.clone());
    for request in server.incoming_requests() {
        let Answer { status, headers, body } = answer(&mut pages, address, &request);
        // With its length, in one piece.
        let mut response = Response::from_data(body).with_status_code(status).with_chunked_threshold(usize::MAX);
        for (name, value) in headers {
            if let Ok(header) = Header::from_bytes(name, value) {
                response.add_header(header);
            }
        }
        // Who asked has gone.
        let _ = request.respond(response);
    }
    Ok(Outcome::Done)
}

fn answer(pages: &mut Pages, address: SocketAddr, request: &tiny_http::Request) -> Answer {
    let headers = request.headers().iter().map(|header| (header.field.as_str().as_str(), header.value.as_str()));
    let asked = Asked { method: request.method().as_str(), path: request.url(), headers: headers.collect() };
    match asked.check(address) {
        Ok(()) => pages.answer(&asked),
        Err(refusal) => Answer::line(refusal.status, refusal.line),
    }
}
