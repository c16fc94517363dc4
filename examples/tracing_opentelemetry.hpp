// SPDX-License-Identifier: BSL-1.0

// The spans of tracing.cpp as those of opentelemetry-cpp, which shows them on stderr. Where it is not
// installed, they are empty. With a batch processor and an OTLP exporter what is made of a message stays
// the same.

#pragma once

#include <otpp/sys/trace_event.hpp>

#if defined(OTPP_EXAMPLE_OPENTELEMETRY)

#include <opentelemetry/exporters/ostream/span_exporter_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/provider.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

// [opentelemetry]
class exported_span {
 public:
  // Begins when its message is sent. One whose message is never handled ends with the message.
  exported_span(const otpp::trace_event& sent, const exported_span* parent) {
    opentelemetry::trace::StartSpanOptions how; // without a parent: below the span that is active here
    if (parent) how.parent = parent->span_->GetContext();
    auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("otpp");
    span_ = tracer->StartSpan(text(sent.message), {{"server", text(sent.server)}}, how);
  }

  void end(const otpp::trace_event& handled) const {
    span_->SetAttribute("waited_us", microseconds(handled.waited));
    span_->SetAttribute("ran_us", microseconds(handled.ran));
    if (!handled.reason.is_clean()) {
      span_->SetStatus(opentelemetry::trace::StatusCode::kError, handled.reason.message());
    }
    span_->End();
  }

 private:
  static opentelemetry::nostd::string_view text(std::string_view one) { return {one.data(), one.size()}; }
  static std::int64_t microseconds(otpp::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  }

  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Span> span_;
};
// [opentelemetry]

inline void start_exporting() {
  auto exporter = opentelemetry::exporter::trace::OStreamSpanExporterFactory::Create(std::cerr);
  auto processor = opentelemetry::sdk::trace::SimpleSpanProcessorFactory::Create(std::move(exporter));
  std::shared_ptr<opentelemetry::trace::TracerProvider> provider =
      opentelemetry::sdk::trace::TracerProviderFactory::Create(std::move(processor));
  opentelemetry::trace::Provider::SetTracerProvider(provider);
}

#else

struct exported_span {
  exported_span(const otpp::trace_event&, const exported_span*) {}
  void end(const otpp::trace_event&) const {}
};

inline void start_exporting() {}

#endif
