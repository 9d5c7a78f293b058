// Shows the verdict.
"use strict";

fetch("status", { cache: "no-store" })
  .then((answer) => answer.json())
  .then((status) => { document.getElementById("verdict").textContent = status.verdict ? status.verdict.sentence : status.error; })
  .catch((problem) => { document.getElementById("verdict").textContent = `The status cannot be read: ${problem.message}`; });
