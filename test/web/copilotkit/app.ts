/** A minimal app that passes the user's own CopilotKit key to `<CopilotKit>`. */
import { CopilotKit } from '@copilotkit/react-core';
import { createElement, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createClient } from '../../../web/client.ts';

const settings = new URLSearchParams(location.search);
const issuer = settings.get('issuer') ?? '';

const client = createClient({
  apiBase: settings.get('api') ?? '',
  getToken: async () => (await fetch(`${issuer}/token?user=alice`)).text().then((text) => text.trim()),
});

function App() {
  const [key, setKey] = useState<string>();
  useEffect(() => {
    const readKey = async () => setKey(await client.copilotKitKey());
    void readKey();
    window.addEventListener('copilotkit-key-updated', readKey);
    return () => window.removeEventListener('copilotkit-key-updated', readKey);
  }, []);
  if (key === undefined) return createElement('p', null, 'No copilot');
  const content = createElement('p', null, 'Copilot');
  return createElement(CopilotKit, { publicApiKey: key, runtimeUrl: '/copilotkit' }, content);
}

createRoot(document.querySelector('#app') ?? document.body).render(createElement(App));
