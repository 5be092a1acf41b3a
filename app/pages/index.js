"use strict";
const form = document.querySelector("form");
const said = document.getElementById("said");
const bar = form.querySelector("progress");
const button = form.querySelector("button");

async function refresh() {
  const answer = await fetch("/", { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("list").replaceWith(fresh.getElementById("list"));
}

async function follow() {
  try {
    if (document.getElementById("list").dataset.busy === "yes") await refresh();
  } catch (unreachable) {
    said.textContent = "The service does not answer.";
  }
  setTimeout(follow, 1500);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  const request = new XMLHttpRequest();
  request.open("POST", "/datasets?name=" + encodeURIComponent(file.name.slice(-200)));
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.onprogress = (sent) => { bar.value = sent.loaded / sent.total; };
  request.onloadend = () => {
    bar.hidden = true;
    button.disabled = false;
    if (request.status === 202) {
      said.textContent = "Stored.";
      form.reset();
      refresh();
      return;
    }
    let why = "The upload failed.";
    try { why = JSON.parse(request.responseText).detail; } catch (unreadable) { /* no answer */ }
    said.textContent = typeof why === "string" ? why : "The upload was refused.";
  };
  said.textContent = "";
  bar.value = 0;
  bar.hidden = false;
  button.disabled = true;
  request.send(file);
});

document.addEventListener("click", async (event) => {
  const id = event.target.dataset && event.target.dataset.delete;
  if (!id || !confirm("Delete this dataset and its artifacts?")) return;
  await fetch("/datasets/" + id, { method: "DELETE" });
  refresh();
});

follow();
