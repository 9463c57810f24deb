"use strict";

const byId = (id) => document.getElementById(id);

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const two = (many, large, few, small) => few === 0 ? `${many} ${large}` : `${many} ${large} ${few} ${small}`;
  if (seconds < 7200) return two(Math.floor(seconds / 60), "min", Math.floor(seconds % 60), "s");
  if (seconds < 172800) return two(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return `${Math.floor(seconds / 86400)} days`;
}

// Short forms may be cut where nobody reads them whole.
function short(id) {
  return id.length > 14 ? `${id.slice(0, 12)}…` : id;
}

function card(id, limited, detail) {
  const article = byId(id);
  article.className = limited.seconds === null ? "" : limited.ok ? "ok" : "late";
  article.querySelector(".figure").textContent = span(limited.seconds);
  article.querySelector(".detail").textContent = detail;
}

function terms(id, pairs) {
  const list = byId(id);
  list.replaceChildren();
  for (const [term, value] of pairs) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = value;
    list.append(dt, dd);
  }
}

function cell(row, text, kind) {
  const td = document.createElement("td");
  td.textContent = text;
  if (kind) td.className = kind;
  row.append(td);
  return td;
}

function batches(list) {
  const body = byId("batches");
  body.replaceChildren();
  for (const batch of list) {
    const row = document.createElement("tr");
    cell(row, batch.number);
    const state = batch.error ? `${batch.state} (${batch.error})` : batch.state;
    cell(row, state, batch.state === "failed" ? "failed" : "");
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = batch.percent;
    bar.setAttribute("aria-label", `${batch.percent} percent`);
    cell(row, `${batch.percent} % `).prepend(bar, " ");
    cell(row, `${batch.leaves_done} of ${batch.chunks}`);
    cell(row, batch.transactions);
    cell(row, batch.l1_operations);
    cell(row, span(batch.age_seconds));
    cell(row, span(batch.seconds));
    cell(row, short(batch.job), "job").title = batch.job;
    body.append(row);
  }
  if (list.length === 0) {
    const row = document.createElement("tr");
    cell(row, "no batch was submitted yet").colSpan = 9;
    body.append(row);
  }
}

function shape(parent, name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function chart(latencies, target) {
  const [width, height, left, bottom, top] = [900, 220, 56, 24, 12];
  const chart = byId("chart");
  chart.replaceChildren();
  if (latencies.length === 0) {
    chart.textContent = "no proof was made yet";
    return;
  }
  const shown = latencies.slice(-60);
  const longest = Math.max(...shown.map((latency) => latency.seconds));
  // A target far away would flatten the bars.
  const withTarget = target <= longest * 4;
  const most = Math.max(longest, withTarget ? target : 0, 0.001) * 1.08;
  const svg = shape(chart, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  shape(svg, "title", {}, `latency of ${shown.length} batches, at most ${span(longest)}`);
  const y = (seconds) => height - bottom - (seconds / most) * (height - bottom - top);
  for (const part of [0, 0.5, 1]) {
    const level = y(most * part / 1.08);
    shape(svg, "line", { x1: left, x2: width, y1: level, y2: level, class: "base" });
    shape(svg, "text", { x: left - 6, y: level + 4, "text-anchor": "end" }, span(most * part / 1.08));
  }
  const step = (width - left) / Math.max(shown.length, 12);
  shown.forEach((latency, index) => {
    const bar = shape(svg, "rect", {
      x: left + index * step + step * 0.15,
      y: y(latency.seconds),
      width: step * 0.7,
      height: Math.max(1, y(0) - y(latency.seconds)),
      class: latency.seconds > target ? "over" : "bar",
    });
    shape(bar, "title", {}, `batch ${latency.batch}: ${span(latency.seconds)}`);
    if (index === 0 || index === shown.length - 1 || shown.length <= 20) {
      const x = left + (index + 0.5) * step;
      shape(svg, "text", { x, y: height - 6, "text-anchor": "middle" }, latency.batch);
    }
  });
  if (withTarget) {
    shape(svg, "line", { x1: left, x2: width, y1: y(target), y2: y(target), class: "target" });
    shape(svg, "text", { x: width - 4, y: y(target) - 5, "text-anchor": "end" }, `target ${span(target)}`);
  }
}

function show(status) {
  const { headline, service, queue, workers, l1 } = status;
  card("latency", headline.proof_latency,
    `95 % of the last ${status.latencies.length} within this; median ${span(headline.median_seconds)}, ` +
    `target ${span(headline.proof_latency.limit_seconds)}`);
  card("oldest", headline.oldest_batch,
    headline.oldest_batch.seconds === null ? "every batch has its proof"
      : `without a proof; limit ${span(headline.oldest_batch.limit_seconds)}; ` +
        `${queue.queued_batches} of ${queue.max_queued_batches} queued`);
  card("l1", headline.l1_lag,
    l1 === null ? "this service follows no L1"
      : `${l1.reachable ? `${l1.lag_blocks} final blocks behind` : "the node doesn't answer"}; ` +
        `limit ${span(headline.l1_lag.limit_seconds)}`);
  byId("about").textContent =
    `${service.version}, ${service.protocol_version}, chain ${service.chain_id}, rollup ${service.rollup_address}, ` +
    `up ${span(service.uptime_seconds)}`;
  const notices = [];
  if (service.srs_source === "development") notices.push("development set-up: proofs can be forged");
  if (queue.failed_jobs > 0) notices.push(`${queue.failed_jobs} failed`);
  if (service.stopping) notices.push("stopping");
  byId("notice").textContent = notices.join(" · ");
  chart(status.latencies, headline.proof_latency.limit_seconds);
  batches(status.batches);
  terms("workers", [
    ["workers", `${workers.workers}, ${workers.threads_per_worker} threads each`],
    ["tasks", `${workers.busy} running, ${queue.pending_tasks} waiting`],
    ["leaf proof", span(workers.mean_leaf_seconds)],
    ["aggregate proof", span(workers.mean_aggregate_seconds)],
    ["peak memory", `${(workers.peak_memory_bytes / 2 ** 30).toFixed(2)} GiB`],
    ["machine", workers.hardware],
    ["size class", service.size_class],
    ...workers.in_work.map((task) => [task.worker,
      `${task.kind} of batch ${task.batch}` + (task.kind === "leaf" ? `, chunk ${task.chunk + 1}` : "") +
      (task.attempt > 1 ? `, attempt ${task.attempt}` : "")]),
  ]);
  terms("settlement", l1 === null ? [["L1", "not followed"]] : [
    ["L1", l1.settles ? "followed and settled on" : "followed only: no key"],
    ["last settled batch", l1.final_batch === 0 ? "none" : l1.final_batch],
    ["oldest unsettled", span(l1.window_age_seconds)],
    ["read up to block", l1.followed_block ?? "–"],
    ["final block", l1.final_block ?? "–"],
    ...l1.gas.map((used) => [used.purpose, `${used.gas.toLocaleString("en")} gas in ${used.transactions}`]),
  ]);
  byId("state").textContent =
    `after batch ${service.last_batch}: state ${service.state}, ${service.accounts} accounts`;
}

async function look() {
  try {
    const reply = await fetch("status.json", { cache: "no-store" });
    if (!reply.ok) throw new Error(`the service answers ${reply.status}`);
    show(await reply.json());
    document.body.dataset.shown = "yes";
  } catch (error) {
    byId("notice").textContent = `no figures: ${error.message}`;
  }
  setTimeout(look, 3000);
}

look();
