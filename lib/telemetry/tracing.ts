/**
 * Spans for OpenTelemetry. Imported only where it is configured, so that it costs nothing anywhere else. A span holds
 * our own route pattern, ids, numbers and codes: no path, no query, no header, nothing of a body.
 */
import {
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import { registerOTel } from '@vercel/otel';
import type { StageTime } from './stages.ts';
import { callersTraceparent } from './trace-context.ts';

export type CallTrace = {
  /** For whom the call is passed on to. */
  readonly traceparent: string;
  end(call: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly requestId: string;
    /** The problem's code, where the answer is one of ours. */
    readonly code: string | null;
    readonly stages: readonly StageTime[];
  }): void;
};

export type Tracing = {
  /** Begins the span of a call, as a child of the caller's. */
  begin(request: Request): CallTrace;
};

/** Only `traceparent`, and only if it is one. */
const getter: TextMapGetter<Headers> = {
  keys: () => ['traceparent'],
  get: (headers, name) => (name === 'traceparent' ? callersTraceparent(headers) : undefined),
};

/**
 * Sets OpenTelemetry up from its own `OTEL_*` variables. Nothing is instrumented by itself: an instrumented `fetch`
 * would put the addresses of providers into spans, and trace context into their requests.
 */
export function startTracing(): Tracing {
  registerOTel({ serviceName: 'userkeys', instrumentations: [], propagators: ['tracecontext'] });
  const tracer = trace.getTracer('userkeys');
  return {
    begin(request) {
      const startedMs = Date.now();
      const parent = propagation.extract(ROOT_CONTEXT, request.headers, getter);
      const span = tracer.startSpan('userkeys', { kind: SpanKind.SERVER, startTime: startedMs }, parent);
      const own = trace.setSpan(parent, span);
      return {
        traceparent: traceparentOf(span),
        end({ route, method, status, requestId, code, stages }) {
          for (const { stage, startMs, durationMs } of stages) {
            const child = tracer.startSpan(stage, { startTime: startedMs + startMs }, own);
            child.end(startedMs + startMs + durationMs);
          }
          span.updateName(`${method} ${route}`);
          span.setAttributes({
            'http.request.method': method,
            'http.route': route,
            'http.response.status_code': status,
            'userkeys.request_id': requestId,
            ...(code === null ? {} : { 'error.type': code }),
          });
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
  };
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
