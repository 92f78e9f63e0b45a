// Shows the report that the address names (#2 is the second file), and loads it anew when its file has changed.

const frame = document.querySelector("iframe");
const status = document.querySelector("p");
const links = [...document.querySelectorAll("nav a")];
// The report in the frame, with the version of its file.
let shown = null;

async function look() {
    const number = Math.min(Math.max(Number(location.hash.slice(1)) || 1, 1), links.length);
    const path = `/report/${number}`;
    let answer;
    try {
        answer = await fetch(path, { method: "HEAD", cache: "no-store" });
    } catch {
        status.textContent = "memprof serve has ended; the report is as it was last.";
        return;
    }
    status.textContent = "";
    const now = path + answer.headers.get("ETag");
    if (now === shown) {
        return;
    }
    shown = now;
    links.forEach((link, index) => link.toggleAttribute("aria-current", index + 1 === number));
    document.title = `${links[number - 1].textContent} - memprof`;
    // Not a step of the browser's history.
    frame.contentWindow.location.replace(path);
}

// So that the report's keys work at once.
frame.addEventListener("load", () => frame.contentWindow.focus());
addEventListener("hashchange", look);
setInterval(look, 1000);
look();
