import { createServer } from 'node:http';
import { z } from 'zod';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';

const attribute = z.object({
  key: z.string(),
  value: z.object({ stringValue: z.string().optional(), intValue: z.coerce.number().optional() }),
});
const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  startTimeUnixNano: z.coerce.number(),
  endTimeUnixNano: z.coerce.number(),
  attributes: z.array(attribute).default([]),
});
const exported = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(span) })) })),
});
type ExportedSpan = z.infer<typeof span>;

export type Collector = {
  readonly url: string;
  /** Every span received so far. */
  readonly spans: ExportedSpan[];
  /** Every byte received so far, including headers. */
  received(): string;
  close(): Promise<void>;
};

/** An OTLP collector over HTTP and JSON. */
export async function startCollector(): Promise<Collector> {
  const spans: ExportedSpan[] = [];
  let received = '';
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    received += JSON.stringify(request.headers) + body;
    for (const { scopeSpans } of exported.parse(JSON.parse(body)).resourceSpans) {
      spans.push(...scopeSpans.flatMap((scope) => scope.spans));
    }
    response.setHeader('content-type', 'application/json').end('{}');
  });
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  return { url, spans, received: () => received, close: () => closeServer(server) };
}
