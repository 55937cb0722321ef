// Judges the documents in the frames of this page.
addEventListener("load", () => {
  const findings = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const doc = frame.contentDocument;
    // All of it must lie in the frame for what lies below a point to be found.
    frame.style.height = doc.documentElement.scrollHeight + "px";
    findings[frame.title] = judged(doc);
  }
  tell(findings);
});
