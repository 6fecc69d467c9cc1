/** The standalone page, for development and for apps that have no settings page of their own. */
import './page/user-keys-page.ts';
