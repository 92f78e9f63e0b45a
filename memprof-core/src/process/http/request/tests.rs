//! What is understood as a request, and what is not.

use super::{LONGEST_HEAD, Request};

/// Method, path and one header, or the status.
fn read(text: &str) -> Option<Result<String, u16>> {
    let read = Request::read(text.as_bytes())?;
    Some(read.map(|request| format!("{} {}", request.method, request.path)).map_err(|refusal| refusal.status))
}

/// Then nothing that comes in can cut the answer off.
#[test]
fn a_request_is_all_of_what_came_where_nothing_follows() {
    for (text, expected) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", true),
        ("GET / HTTP/1.1\r\n\r\nG", false),
        ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", false),
    ] {
        let request = Request::read(text.as_bytes()).expect("a head").expect("a request");
        assert_eq!(request.is_all_of(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn a_request_is_read_whole() {
    for (text, expected) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(Ok("GET /"))),
        ("GET /metrics?a=b#c HTTP/1.0\r\n\r\nmore", Some(Ok("GET /metrics"))),
        ("POST /reset HTTP/1.1\r\nContent-Length: 0\r\nX:\r\n\r\n", Some(Ok("POST /reset"))),
        ("GET / HTTP/1.1\r\nHost: x\r\n", None),
        ("G", None),
        ("", None),
        ("\r\n", Some(Err(400))),
        ("\u{16}\u{3}\u{1}", Some(Err(400))),
        ("GET / HTTP/1.1\r\nA: \0", Some(Err(400))),
        ("GET  / HTTP/1.1\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/1.1 \r\n\r\n", Some(Err(400))),
        ("GET /\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/2\r\n\r\n", Some(Err(505))),
        ("GET http://x/ HTTP/1.1\r\n\r\n", Some(Err(400))),
        ("CONNECT x:80 HTTP/1.1\r\n\r\n", Some(Err(400))),
        ("GET /\u{e9} HTTP/1.1\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/1.1\r\n A: folded\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", Some(Err(400))),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Some(Err(400))),
        ("POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", Some(Ok("POST /"))),
        ("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", Some(Err(413))),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", Some(Err(413))),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", Some(Err(400))),
        ("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", Some(Err(400))),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Some(Err(400))),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Some(Err(501))),
    ] {
        assert_eq!(read(text), expected.map(|expected| expected.map(str::to_owned)), "{text:?}");
    }
}

#[test]
fn a_head_is_bounded() {
    let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(LONGEST_HEAD));
    assert_eq!(read(&long), Some(Err(431)));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
    assert_eq!(read(&many), Some(Err(431)));
    assert_eq!(read(&many.replacen("A: b\r\n", "", 1)), Some(Ok("GET /".to_owned())));
}

#[test]
fn a_header_is_there_once() {
    let request =
        Request::read(b"GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\nX-Y: z \r\n\r\n").expect("whole").expect("right");
    assert_eq!(request.header("Host").map_err(|refusal| refusal.status), Err(400));
    assert_eq!(request.header("x-y"), Ok(Some(&b"z"[..])));
    assert_eq!(request.header("absent"), Ok(None));
}
