/**
 * OpenTelemetry spans. This module is imported only if tracing is configured, so it costs nothing otherwise. A span
 * holds a route pattern, ids, numbers and codes: no path, query or header, and no part of a body.
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
  /** The header to send to the next service. */
  readonly traceparent: string;
  end(call: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly requestId: string;
    /** The problem code if the response is a problem, or else null. */
    readonly code: string | null;
    readonly stages: readonly StageTime[];
  }): void;
};

export type Tracing = {
  /** Starts the span of a call, as a child of the caller's span. */
  begin(request: Request): CallTrace;
};

/** Reads only `traceparent`, and only if it is valid. */
const getter: TextMapGetter<Headers> = {
  keys: () => ['traceparent'],
  get: (headers, name) => (name === 'traceparent' ? callersTraceparent(headers) : undefined),
};

/**
 * Sets up OpenTelemetry from its own `OTEL_*` variables. Automatic instrumentation is off: an instrumented `fetch` would
 * record provider URLs in spans and send trace context to providers.
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
